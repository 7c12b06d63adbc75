import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type OutgoingHttpHeaders } from "node:http2";
import { request } from "node:https";
import type { TestContext } from "node:test";

interface Said {
  status: number;
  headers: Record<string, unknown>;
  bytes: Buffer;
  json: Record<string, unknown>;
}

const parsed = (headers: Record<string, unknown>, bytes: Buffer) =>
  String(headers["content-type"]).includes("json") && bytes.length > 0 ? JSON.parse(bytes.toString()) : {};

/** A connection of HTTP/2 that ends with the test. */
export const session = async (t: TestContext, url: string, ca: Buffer, settings = {}): Promise<ClientHttp2Session> => {
  const client = connect(url, { ca, settings });
  client.on("error", () => {});
  t.after(() => client.destroy());
  await once(client, "connect");
  return client;
};

/** All that comes, also where the other side does not wait for the end of what it was asked. */
export const allOf = async (stream: ClientHttp2Stream): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(stream, "end");
  return Buffer.concat(chunks);
};

export const overHttp2 = async (
  client: ClientHttp2Session,
  path: string,
  headers: OutgoingHttpHeaders = {},
  body?: string | Buffer,
): Promise<Said> => {
  const stream = client.request({ ":path": path, ...headers }, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  const [answer] = (await once(stream, "response")) as [Record<string, unknown>];
  const bytes = await allOf(stream);
  return { status: Number(answer[":status"]), headers: answer, bytes, json: parsed(answer, bytes) };
};

export const overHttp1 = async (
  url: string,
  ca: Buffer,
  path: string,
  headers: OutgoingHttpHeaders = {},
  body?: string,
  method?: string,
): Promise<Said> => {
  const req = request(`${url}${path}`, { ca, headers, method: method ?? (body === undefined ? "GET" : "POST"), agent: false });
  req.end(body);
  const [res] = await once(req, "response");
  const bytes = Buffer.concat(await res.toArray());
  return { status: res.statusCode, headers: res.headers, bytes, json: parsed(res.headers, bytes) };
};
