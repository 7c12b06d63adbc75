import { once } from "node:events";
import { type Agent, request } from "node:http";
import { authorization } from "../support/credentials.ts";
import type { Door } from "./fleet.ts";
import type { Attempt, Op, Said } from "./journal.ts";

const NOTHING: Said = { id: "", version: 0, items: [] };

/** Codes of refusals that say nothing of whether it will be refused again, or that it was not done. */
const DOUBT = new Set(["VERSION_CONFLICT"]);

/** Asks once, over HTTP. Whatever breaks on the way, or takes longer than `patience` milliseconds, leaves the outcome in doubt. */
export const ask = async (op: Op, client: number, { name: node, url, agent }: Door, patience: number): Promise<Attempt> => {
  const began = performance.now();
  const said = await exchange(op, url, agent, patience).catch(() => undefined);
  const ended = performance.now();
  const about = { op, client, node, began, ended, answer: said?.answer ?? NOTHING };
  if (!said) return { ...about, outcome: "doubt", status: 0, ...(ended - began >= patience && { code: "NO_ANSWER" }) };
  const { status } = said;
  if (status < 300) return { ...about, outcome: "done", status };
  const code = String(about.answer.code);
  return { ...about, outcome: status >= 500 || DOUBT.has(code) ? "doubt" : "refused", status, code };
};

const exchange = async ({ method, path, body, key, ifMatch }: Op, url: string, agent: Agent, patience: number) => {
  const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const headers: Record<string, string> = { authorization };
  if (bytes) Object.assign(headers, { "content-type": "application/json", "content-length": String(bytes.length) });
  if (key !== undefined) headers["idempotency-key"] = key;
  if (ifMatch !== undefined) headers["if-match"] = `"${ifMatch}"`;
  const req = request(`${url}/api/v1${path}`, { method, headers, agent, signal: AbortSignal.timeout(patience) });
  req.end(bytes);
  const [res] = await once(req, "response");
  const text = Buffer.concat(await res.toArray()).toString("utf8");
  return { status: res.statusCode as number, answer: text === "" ? undefined : (JSON.parse(text) as Said) };
};
