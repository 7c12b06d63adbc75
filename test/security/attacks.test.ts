import "../support/credentials.env.ts";
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { sendRaw } from "../support/http.ts";
import { onDoor } from "./attacks.door.ts";
import { onIdentity } from "./attacks.identity.ts";
import { onTokens } from "./attacks.tokens.ts";
import { Scene } from "./scene.ts";

const scene = new Scene();
before(() => scene.start());
after(() => scene.end());

for (const { name, legitimate, attack, refused, harmless } of [...onIdentity(scene), ...onTokens(scene), ...onDoor(scene)]) {
  test(name, async () => {
    const right = await legitimate();
    assert.ok(right.status < 300, `${right.status} ${right.text}`);
    const wrong = await attack();
    assert.ok(wrong.status < 500, wrong.text);
    if (refused) assert.ok(refused.includes(wrong.status), `${wrong.status} ${wrong.text}`);
    assert.ok(refused || harmless);
    await harmless?.(wrong, right);
  });
}

test("a request in a request (smuggling)", async () => {
  const { host } = new URL(scene.base);
  const head = (...lines: string[]) => `${["POST /api/v1/customers HTTP/1.1", `Host: ${host}`, ...lines].join("\r\n")}\r\n\r\n`;
  for (const smuggled of [
    `${head("Content-Length: 6", "Transfer-Encoding: chunked")}0\r\n\r\nGET /api/v1/users HTTP/1.1\r\n\r\n`,
    `${head("Content-Length: 5", "Content-Length: 6")}123456`,
    `${head("Transfer-Encoding: chunked, identity")}0\r\n\r\n`,
    `${head("Transfer-Encoding : chunked")}0\r\n\r\n`,
  ]) {
    const answer = await sendRaw(scene.base, smuggled);
    assert.match(answer, /^HTTP\/1\.1 400 /);
    assert.equal(answer.match(/HTTP\/1\.1 \d/g)!.length, 1);
  }
});
