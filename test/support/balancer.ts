import { Agent } from "node:http";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Send, sender } from "./traders.ts";

const LOOK = 500; // milliseconds between two looks at who is ready; a gateway gives notice of its end for longer

/** Sends each request to the next of the gateways that say that they are ready, as a load balancer does; nothing is sent twice. */
export const balancer = (t: TestContext, urls: readonly string[]): { send: Send; ready(): readonly string[] } => {
  const [agent, asking] = [new Agent({ keepAlive: true }), new Agent()];
  const ready = new Set<string>();
  let [turn, going] = [0, true];
  const watch = async (url: string) => {
    for (const ask = sender(() => url, asking); going; await delay(LOOK)) {
      const { status } = await ask("GET", "/health/ready");
      if (status === 200) ready.add(url);
      else ready.delete(url);
    }
  };
  for (const url of urls) void watch(url);
  t.after(() => {
    going = false;
    agent.destroy();
  });
  return { send: sender(() => [...ready][turn++ % ready.size] ?? urls[0]!, agent), ready: () => [...ready] };
};
