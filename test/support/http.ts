import "./credentials.env.ts";
import { once } from "node:events";
import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request, type Server } from "node:http";
import { connect } from "node:net";
import type { TestContext } from "node:test";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { log } from "../../mixins/runtime/logger.ts";
import { urlOf } from "../../mixins/runtime/port.ts";
import settings from "../../moleculer.config.ts";
import gateway from "../../services/gateway/gateway.service.ts";
import { authorization } from "./credentials.ts";

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  bytes: Buffer;
  text: string;
  /** The body, where it is a JSON object; empty where it is not. */
  json: Record<string, unknown>;
}

export interface Asked {
  method?: string;
  headers?: OutgoingHttpHeaders;
  /** Sent as it is where it is text or bytes, as JSON otherwise. */
  body?: unknown;
}

/** One request on a connection of its own, by an administrator where no header says otherwise. The answer's bytes are as they came, compressed ones too. */
export const ask = async (url: string, { method, headers = {}, body }: Asked = {}): Promise<Answer> => {
  const raw = typeof body === "string" || body instanceof Uint8Array;
  const bytes = body === undefined || raw ? (body as string | Uint8Array | undefined) : JSON.stringify(body);
  const type = body === undefined || raw ? {} : { "Content-Type": "application/json" };
  const length = bytes === undefined || "Transfer-Encoding" in headers ? {} : { "Content-Length": Buffer.byteLength(bytes) };
  const said = { authorization, ...type, ...length, ...headers };
  const req = request(url, {
    method: method ?? (body === undefined ? "GET" : "POST"),
    headers: Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined)),
    agent: false,
  });
  req.end(bytes);
  const [res] = await once(req, "response");
  const chunks: Buffer[] = await res.toArray();
  const all = Buffer.concat(chunks);
  const text = all.toString("utf8");
  const isJson = /[/+]json/.test(res.headers["content-type"] ?? "") && !res.headers["content-encoding"] && text !== "";
  const json = isJson ? JSON.parse(text) : {};
  return { status: res.statusCode, headers: res.headers, bytes: all, text, json };
};

/** Sends bytes as they are, and answers with all that comes back until the other side hangs up. */
export const sendRaw = async (url: string, text: string): Promise<string> => {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write(text);
  return Buffer.concat(await socket.toArray()).toString("latin1");
};

export interface Served {
  url: string;
  broker: ServiceBroker;
}

/** A gateway in this process, on a free port, before the services given. It says nothing but errors, and ends with the test. */
export const serve = async (t: TestContext, services: ServiceSchema[], over: object = {}): Promise<Served> => {
  log.level = "error";
  const broker = new ServiceBroker({ ...settings, transporter: null, nodeID: "tested", skipProcessEventRegistration: true });
  for (const schema of services) broker.createService(schema);
  const door = { ...gateway, settings: { ...gateway.settings, port: 0, ...over } } as ServiceSchema;
  const { server } = broker.createService(door) as unknown as { server: Server };
  await broker.start();
  t.after(() => broker.stop());
  return { url: urlOf(server)!, broker };
};
