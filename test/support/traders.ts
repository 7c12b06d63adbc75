import { Agent, request } from "node:http";
import { authorization } from "./credentials.ts";

export interface Told {
  status: number;
  code?: string;
  json: Record<string, unknown>;
}

export type Send = (method: string, path: string, body?: object, headers?: Record<string, string>) => Promise<Told>;

/** Sends over connections that are kept; what cannot be sent, or is not answered, has the status 0. */
export const sender = (url: () => string, agent: Agent): Send => {
  return (method, path, body, headers = {}) =>
    new Promise((resolve) => {
      const text = body && JSON.stringify(body);
      const type = text === undefined ? {} : { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(text) };
      const failed = (error: Error) => resolve({ status: 0, code: error.message, json: {} });
      const req = request(`${url()}${path}`, { method, agent, headers: { authorization, ...type, ...headers } }, async (res) => {
        try {
          const json = JSON.parse(Buffer.concat(await res.toArray()).toString() || "{}");
          resolve({ status: res.statusCode!, code: json.code, json });
        } catch (error) {
          failed(error as Error);
        }
      });
      req.on("error", failed);
      req.end(text);
    });
};

export interface Failure extends Told {
  asked: string;
}

/** Sends as `send` does, and counts: every answer that is not a success is a failure, whatever it says. */
export const counting = (send: Send) => {
  const counted = { answered: 0, slowest: 0, failures: [] as Failure[] };
  const ask: Send = async (method, path, ...rest) => {
    const start = performance.now();
    const told = await send(method, path, ...rest);
    counted.slowest = Math.max(counted.slowest, performance.now() - start);
    counted.answered++;
    if (told.status < 200 || told.status > 299) counted.failures.push({ ...told, asked: `${method} ${path}` });
    return told;
  };
  return { ask, counted };
};

const goods = (product: string, quantity: string) => ({ product, kind: "goods", quantity, rate: "3" });

/**
 * Clients that trade until they are told to stop: each opens a deal, amends it, has three notes put on it at once, and confirms
 * it.
 */
export const traders = (url: string, clients: number, products: readonly string[]) => {
  const agent = new Agent({ keepAlive: true });
  const send = sender(() => url, agent);
  const traded: string[] = [];
  let going = true;
  const { ask: asked, counted } = counting(send);
  const client = async (name: string) => {
    for (let n = 0; going; n++) {
      const id = `${name}-${n}`;
      const path = `/api/v1/deals/${id}`;
      const line = goods(products[n % products.length]!, "1");
      const { json } = await asked("POST", "/api/v1/deals", { id, saleParty: "acme", currency: "GBP", lines: [line], hint: false });
      await asked("PATCH", path, { country: "EIRE" }, { "If-Match": `"${json.version}"` });
      await Promise.all(["one", "two", "three"].map((text) => asked("POST", `${path}/notes`, { text })));
      await asked("POST", `${path}/confirm`, {});
      traded.push(id);
    }
  };
  const all = Promise.all(Array.from({ length: clients }, (_, n) => client(`c${n}`)));
  return {
    answered: () => counted.answered,
    traded: () => traded.length,
    async stop() {
      going = false;
      await all;
      const deals = await Promise.all(traded.map(async (id) => (await send("GET", `/api/v1/deals/${id}`)).json));
      agent.destroy();
      return { ...counted, deals };
    },
  };
};
