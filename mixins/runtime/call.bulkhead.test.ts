import assert from "node:assert/strict";
import { test } from "node:test";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { callBulkhead } from "./call.bulkhead.ts";
import { callTimeouts } from "./call.timeouts.ts";

const started = async (t: { after(end: () => void): void }, service: ServiceSchema, over = {}) => {
  const broker = new ServiceBroker({
    logger: false,
    internalMiddlewares: false,
    middlewares: [callBulkhead, callTimeouts, "ErrorHandler"],
    ...over,
  } as object);
  broker.createService(service);
  await broker.start();
  t.after(() => broker.stop());
  return broker;
};

test("no more calls run than are allowed, the next ones wait in order, and one more is refused", async (t) => {
  const held: PromiseWithResolvers<void>[] = [];
  const begun: number[] = [];
  const broker = await started(
    t,
    {
      name: "slow",
      actions: {
        do: {
          async handler(ctx) {
            begun.push(ctx.params.n);
            held.push(Promise.withResolvers());
            await held.at(-1)!.promise;
            if (ctx.params.n === 2) throw new Error("two failed");
            return ctx.params.n;
          },
        },
        other: { bulkhead: { enabled: false }, handler: () => "free" },
      },
    },
    { bulkhead: { enabled: true, concurrency: 2, maxQueueSize: 2 } },
  );
  const calls = [1, 2, 3, 4, 5].map((n) => broker.call("slow.do", { n }));
  await assert.rejects(calls[4]!, { type: "QUEUE_FULL", retryable: true });
  assert.deepEqual(begun, [1, 2]);
  assert.equal(await broker.call("slow.other"), "free");
  held[1]!.resolve();
  await assert.rejects(calls[1]!, { message: "two failed" });
  assert.deepEqual(begun, [1, 2, 3], "a failure makes room, too");
  held[0]!.resolve();
  assert.equal(await calls[0], 1);
  assert.deepEqual(begun, [1, 2, 3, 4]);
  held[2]!.resolve();
  held[3]!.resolve();
  assert.deepEqual([await calls[2], await calls[3]], [3, 4]);
});

test("a call within the node has the time that it, or its action, is given, and shares it with the calls that it makes", async (t) => {
  const never = () => new Promise(() => {});
  const broker = await started(t, {
    name: "slow",
    actions: {
      never,
      short: { timeout: 20, handler: never } as object,
      within: { handler: (ctx) => ctx.call("slow.time") },
      time: { handler: (ctx) => ctx.options.timeout ?? null },
    },
  });
  await assert.rejects(broker.call("slow.never", {}, { timeout: 20 }), { type: "REQUEST_TIMEOUT", code: 504 });
  await assert.rejects(broker.call("slow.short"), { type: "REQUEST_TIMEOUT" });
  const left = await broker.call<number, object>("slow.within", {}, { timeout: 5_000 });
  assert.ok(left > 4_000 && left < 5_000, `${left}`);
  assert.equal(await broker.call("slow.within"), 0);
});
