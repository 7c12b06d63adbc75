import assert from "node:assert/strict";
import { test } from "node:test";
import { shownAddress, withoutSecrets } from "./address.ts";

const ADDRESSES = [
  "nats://banyan:p%40ss:word@a:4222,nats://banyan:other@b:4222",
  "mongodb://banyan:hidden1@a:1,b:2/?replicaSet=rs0&tlsCertificateKeyFilePassword=hidden2",
  "redis://:hidden3@c:6379/1",
  "nats://t0ken@d:4222",
];

test("an address is shown without who logs in, and how", () => {
  assert.deepEqual(ADDRESSES.map(shownAddress), ["nats://a:4222,nats://b:4222", "mongodb://a:1,b:2/", "redis://c:6379/1", "nats://d:4222"]);
});

test("what a driver says comes without the secrets of any address, as written and as meant", () => {
  const said = `user banyan, p@ss:word, p%40ss:word, other, hidden1, hidden2, hidden3, t0ken: ${ADDRESSES.join(" ")}`;
  const told = withoutSecrets(said, [...ADDRESSES, undefined]);
  for (const secret of ["p@ss", "p%40ss", "other", "hidden", "t0ken"]) assert.ok(!told.replaceAll("[hidden]", "").includes(secret), told);
  assert.match(told, /^user banyan, /);
  assert.equal(withoutSecrets("nothing to hide", ["redis://127.0.0.1:6379"]), "nothing to hide");
});
