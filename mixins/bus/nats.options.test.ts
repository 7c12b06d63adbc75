import assert from "node:assert/strict";
import { test } from "node:test";
import { natsOptions } from "./nats.options.ts";

test("several servers, a user or a token are read from the address", () => {
  const { servers, user, pass, token } = natsOptions("nats://a:4222,nats://us%20er:p%40ss@b:4223", "banyan node-1");
  assert.deepEqual({ servers, user, pass, token }, { servers: ["a:4222", "b:4223"], user: "us er", pass: "p@ss", token: undefined });
  assert.equal(natsOptions("nats://s3cret@a:4222", "x").token, "s3cret");
  assert.equal(natsOptions("nats://a", "x").user, undefined);
});

test("it tries for ever, and notices within seconds that nobody is there", () => {
  const { reconnect, maxReconnectAttempts, pingInterval = 0, maxPingOut = 0 } = natsOptions("nats://a:4222", "x");
  assert.deepEqual({ reconnect, maxReconnectAttempts }, { reconnect: true, maxReconnectAttempts: -1 });
  assert.ok(pingInterval * (maxPingOut + 1) <= 5_000);
});
