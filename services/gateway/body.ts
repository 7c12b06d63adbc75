import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { Rejected } from "../../mixins/core/errors.ts";
import { isHttp2, isWhole } from "./listening.ts";

const HALF = /(?<!\\)(\\\\)*\\ud[89a-f]/; // JSON.stringify writes only such a one as an escape
const MOST_BYTES = 1_048_576;
const MOST_VALUES = 50_000;
const DEEPEST = 20;

type Done = (error: Error | undefined, body: Record<string, unknown>) => void;
const nothing = () => ({});
const tooLarge = () => new Rejected("BODY_TOO_LARGE", `A body may have ${MOST_BYTES} bytes at most`, 413);

/** Names that reach into the prototype of whatever they are copied to. */
export const forbiddenKey = (key: string): boolean => {
  switch (key.length) {
    case 9:
      return key === "__proto__" || key === "prototype";
    case 11:
      return key === "constructor";
    default:
      return false;
  }
};

/** Takes in a JSON object, within the limits of size, depth and number of values. Calls back once: `done`, or `gone` where the client went away. */
export const readBody = (req: IncomingMessage, done: Done, gone: () => void) => {
  const { headers } = req;
  const length = headers["content-length"];
  if (length === undefined && (isHttp2(req) ? isWhole(req) : headers["transfer-encoding"] === undefined)) return done(undefined, nothing());
  if (length === "0") return done(undefined, nothing());
  if (Number(length) > MOST_BYTES) return done(tooLarge(), nothing());
  const refused = mediaType(headers["content-type"], headers["content-encoding"]);
  if (refused) return done(refused, nothing());

  let first: Buffer | undefined;
  let more: Buffer[] | undefined;
  let size = 0;
  req.on("data", (chunk: Buffer) => {
    if (size > MOST_BYTES) return;
    size += chunk.length;
    if (size > MOST_BYTES) done(tooLarge(), nothing());
    else if (!first) first = chunk;
    else if (more) more.push(chunk);
    else more = [first, chunk];
  });
  req.on("error", gone);
  req.on("aborted", gone); // HTTP/2 says so, and then ends it as if it were whole
  req.on("end", () => {
    if (size > MOST_BYTES || req.aborted) return;
    let body: Record<string, unknown>;
    try {
      body = first ? parse(more ? Buffer.concat(more) : first) : {};
    } catch (error) {
      return done(error as Error, nothing());
    }
    done(undefined, body);
  });
};

const mediaType = (type = "", encoding = "identity"): Error | undefined => {
  if (encoding !== "identity") return new Rejected("UNSUPPORTED_ENCODING", "A body must come as it is, not compressed", 415);
  if (type === "application/json" || /^application\/([\w.+-]+\+)?json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(type)) return;
  return new Rejected("UNSUPPORTED_MEDIA_TYPE", "A body must be application/json in UTF-8", 415);
};

const parse = (bytes: Buffer): Record<string, unknown> => {
  if (!isUtf8(bytes)) throw new Rejected("MALFORMED_BODY", "The body is not UTF-8", 400);
  const text = bytes.toString("utf8");
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new Rejected("MALFORMED_BODY", "The body is not JSON", 400);
  }
  if (text.includes("\\u") && HALF.test(JSON.stringify(body))) {
    throw new Rejected("MALFORMED_BODY", "A text in the body holds half of a character (a lone surrogate)", 400);
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new Rejected("MALFORMED_BODY", "The body must be a JSON object", 400);
  }
  inspect(body, 1, 0);
  return body as Record<string, unknown>;
};

/** Counts the values within, and throws at what would be too many, too deep or forbidden. */
const inspect = (value: object, depth: number, before: number): number => {
  if (depth > DEEPEST) throw new Rejected("BODY_TOO_COMPLEX", `A body may be nested ${DEEPEST} deep at most`, 400);
  let count = before;
  if (Array.isArray(value)) {
    count += value.length;
    for (const item of value) if (typeof item === "object" && item !== null) count = inspect(item, depth + 1, count);
  } else {
    for (const key in value) {
      count++;
      if (forbiddenKey(key)) throw new Rejected("FORBIDDEN_KEY", `A field must not be named ${key}`, 400);
      const part = (value as Record<string, unknown>)[key];
      if (typeof part === "object" && part !== null) count = inspect(part, depth + 1, count);
    }
  }
  if (count > MOST_VALUES) throw new Rejected("BODY_TOO_COMPLEX", `A body may hold ${MOST_VALUES} values at most`, 400);
  return count;
};
