import { Agent } from "node:http";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Send, sender } from "./traders.ts";

const LOOK = 50; // milliseconds between two looks at who is ready; a gateway gives notice of its end for longer

/** Sends each request to the next of the gateways that say that they are ready, as a load balancer does; nothing is sent twice. */
export const balancer = (t: TestContext, urls: readonly string[]): { send: Send; ready(): readonly string[] } => {
  const [agent, asking] = [new Agent({ keepAlive: true }), new Agent()];
  let ready: string[] = [];
  const asks = urls.map((url) => ({ url, ask: sender(() => url, asking) }));
  const look = async () => {
    const answers = await Promise.all(asks.map(async ({ url, ask }) => ((await ask("GET", "/health/ready")).status === 200 ? url : [])));
    ready = answers.flat();
  };
  let [turn, going] = [0, true];
  void (async () => {
    for (; going; await delay(LOOK)) await look();
  })();
  t.after(() => {
    going = false;
    agent.destroy();
  });
  return { send: sender(() => ready[turn++ % ready.length] ?? urls[0]!, agent), ready: () => ready };
};
