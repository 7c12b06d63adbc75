import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext } from "node:test";
import { type CallingOptions, ServiceBroker } from "moleculer";

const DATA_DIR = mkdtempSync(join(tmpdir(), "banyan-inventory-"));
process.env.DATA_DIR = DATA_DIR; // before anything reads the configuration
const { default: inventory } = await import("../../services/inventory/inventory.service.ts");

export interface Answer {
  id: string;
  ok: boolean;
  cost?: string;
  available?: string;
  reason?: string;
}
export interface Stock {
  onHand: string;
  reserved: string;
  available: string;
  inTransit: string;
  value: string;
  lots: { quantity: string; cost: string }[];
  version?: number;
}

const newBroker = () => {
  const broker = new ServiceBroker({ logger: false });
  broker.createService(inventory);
  return broker;
};
const broker = newBroker();
before(() => broker.start());
after(async () => {
  await broker.stop();
  rmSync(DATA_DIR, { recursive: true, force: true });
});

export const call = <T = Answer>(verb: string, params: object, options?: CallingOptions): Promise<T> =>
  broker.call(`v1.inventory.${verb}`, params, options);
export const many = async (verb: string, ...items: object[]) => (await call<{ items: Answer[] }>(`${verb}Many`, { items })).items;
export const stockOf = (product: string, warehouse = "main") => call<Stock>("get", { product, warehouse });
export const figures = ({ onHand, reserved, available }: Stock) => ({ onHand, reserved, available });

/** Another process with the room on the same files. */
export const startProcess = async (t: TestContext) => {
  const child: ChildProcess = fork(join(import.meta.dirname, "inventory.process.ts"), { env: { ...process.env, DATA_DIR } });
  t.after(() => child.kill("SIGKILL"));
  await once(child, "message");
  const waiting = new Map<number, (said: { answer?: unknown; error?: string }) => void>();
  let n = 0;
  child.on("message", (said: { n: number; answer?: unknown; error?: string }) => waiting.get(said.n)?.(said));
  return {
    child,
    call: <T>(verb: string, params: object): Promise<{ answer?: T; error?: string }> =>
      new Promise((resolve) => {
        waiting.set(++n, resolve as (said: object) => void);
        child.send({ n, action: `v1.inventory.${verb}`, params });
      }),
  };
};
