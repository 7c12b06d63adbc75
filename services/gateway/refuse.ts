import { type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { Rejected } from "../../mixins/core/errors.ts";
import { problemOf } from "./problem.ts";

export const tooSlow = () => new Rejected("REQUEST_TOO_SLOW", "The request did not come to its end in time", 408);

export const headersTooLarge = () => new Rejected("HEADERS_TOO_LARGE", "Address and headers may have 16 KB together", 431);

const reasonOf = (code: string | undefined): Rejected => {
  if (code === "HPE_HEADER_OVERFLOW") return headersTooLarge();
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return tooSlow();
  return new Rejected("MALFORMED_REQUEST", "This is not HTTP/1.1 as it should be", 400);
};

/** Answers what is no request, and hangs up: after it nobody knows where the next one begins. */
export const refuse = (error: NodeJS.ErrnoException, socket: Socket): void => {
  const begun = (socket as { _httpMessage?: ServerResponse })._httpMessage?.headersSent;
  const unmet = (socket as { alpnProtocol?: unknown }).alpnProtocol === null; // TLS did not come about: an answer would reach nobody
  if (!socket.writable || begun || unmet || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const problem = problemOf(reasonOf(error.code), "none");
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    "Content-Type: application/problem+json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Cache-Control: no-store",
    "Connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
};
