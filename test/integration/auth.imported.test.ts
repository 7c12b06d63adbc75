import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { hash } from "bcryptjs";
import { codeOf, PASSWORD, withUser } from "../support/clients.ts";
import { ask } from "../support/http.ts";

test("who comes from another system logs in with the password from there, and its hash is replaced by one of today", async (t) => {
  const { post, login, admin, url } = await withUser(t);
  const bob = { id: "bob", name: "Bob", email: "bob@acme.example", roles: ["reader"] };
  await post("users", bob, admin);
  const theirs = await hash("the password from there", 8);
  const bring = (user: string, body: object, by?: string) => post(`auth/users/${user}/hash`, body, by);
  const { json: ann } = await login("ann@acme.example");
  assert.deepEqual(codeOf(await bring("bob", { hash: theirs })), [401, "LOGIN_REQUIRED"]);
  assert.deepEqual(codeOf(await bring("bob", { hash: theirs }, ann.accessToken)), [403, "NOT_ALLOWED"]);
  for (const bad of ["the password from there", await hash("x", 4), theirs.replace("$08$", "$31$")]) {
    assert.deepEqual(codeOf(await bring("bob", { hash: bad }, admin)), [422, "HASH_REFUSED"], bad);
  }
  assert.equal((await login("bob@acme.example", "the password from there")).status, 401);

  const { status, json } = await bring("bob", { hash: theirs }, admin);
  assert.deepEqual([status, json], [200, { user: "bob", email: "bob@acme.example" }]);
  assert.deepEqual(codeOf(await bring("bob", { hash: theirs }, admin)), [409, "PASSWORD_SET"]);
  assert.deepEqual(codeOf(await bring("ann", { hash: theirs }, admin)), [409, "PASSWORD_SET"]);
  assert.equal((await login("ann@acme.example", PASSWORD)).status, 200);
  assert.deepEqual(codeOf(await bring("nobody", { hash: theirs }, admin)), [404, "USER_NOT_ACTIVE"]);
  await post("users", { ...bob, id: "eve", email: "eve@acme.example" }, admin);
  await ask(`${url}/api/v1/users/eve`, { method: "PATCH", body: { status: "disabled" }, headers: { "If-Match": "*" } });
  assert.deepEqual(codeOf(await bring("eve", { hash: theirs }, admin)), [404, "USER_NOT_ACTIVE"]);

  assert.equal((await login("bob@acme.example", "the password from elsewhere")).status, 401);
  assert.equal((await login("bob@acme.example", "the password from there")).status, 200);
  assert.equal((await login("bob@acme.example", "the password from there")).status, 200);
});

const inFile = { skip: process.env.MONGO_URL !== undefined && "reads the room's file" };

test("what is kept of such a password is of today after its first login, and not before", inFile, async (t) => {
  const { post, login, admin, env } = await withUser(t);
  await post("users", { id: "bob", name: "Bob", email: "bob@acme.example" }, admin);
  const theirs = await hash("the password from there", 8);
  await post("auth/users/bob/hash", { hash: theirs }, admin);
  const kept = () => {
    const db = new DatabaseSync(join(env.DATA_DIR!, "auth.db"), { readOnly: true });
    const row = db.prepare("SELECT body FROM collection WHERE id = 'u~bob'").get() as { body: string };
    db.close();
    return JSON.parse(row.body)._hash as string;
  };
  await login("bob@acme.example", "the password from elsewhere");
  assert.equal(kept(), theirs);
  await login("bob@acme.example", "the password from there");
  assert.match(kept(), /^\$argon2id\$/);
});
