import assert from "node:assert/strict";
import { createPrivateKey, sign } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { makeCerts } from "../../test/support/certs.ts";

/** A node of deals and products, and what others hear of it. No master key: certificates alone. */
const dir = mkdtempSync(join(tmpdir(), "banyan-nodes-"));
after(() => rmSync(dir, { recursive: true }));
const certs = await makeCerts(join(dir, "ours"), ["--nodes", "sales=deals+products,ops=*"]);
const strangers = await makeCerts(join(dir, "theirs"), ["--nodes", "sales=deals+products"]);
Object.assign(process.env, certs.node("sales"), {
  ISSUER: "tested",
  TRANSPORTER: "tls://127.0.0.1:1",
  MONGO_URL: "mongodb://127.0.0.1:1/?tls=true",
});
delete process.env.MASTER_KEY;
const { ALL, EVERYBODY, NodeTokens, nodeToken, requireIdentity } = await import("./node-identity.ts");
const { mayCall, remember } = await import("./node-calls.ts");

const readBy = (node: string) => new NodeTokens(node);
const b64 = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
/** A token by this certificate and key, whatever it says. */
const made = (from: typeof certs, name: string, claims: object = {}, head: object = {}) => {
  const { TLS_CERT_FILE, TLS_KEY_FILE } = from.node(name);
  const der = readFileSync(TLS_CERT_FILE, "utf8").replaceAll(/-----[^-]+-----|\s/g, "");
  const iat = Math.floor(Date.now() / 1_000);
  const said = { iss: "tested", sub: `${name}-1`, aud: "inventory-1", iat, exp: iat + 60, ...claims };
  const text = `${b64({ alg: "ES256", typ: "node+jwt", x5c: [der], ...head })}.${b64(said)}`;
  const signature = sign("sha256", Buffer.from(text), { key: createPrivateKey(readFileSync(TLS_KEY_FILE)), dsaEncoding: "ieee-p1363" });
  return `${text}.${signature.toString("base64url")}`;
};

test("a node is known by its certificate, with the rooms that stand in it, to the one that it speaks to", () => {
  const caller = readBy("inventory-1").read(nodeToken("sales-1", "inventory-1"));
  assert.equal(caller?.node, "sales-1");
  assert.deepEqual([...(caller!.rooms as Set<string>)].sort(), ["deals", "products"]);
  assert.equal(readBy("billing-1").read(nodeToken("sales-1", "inventory-1")), undefined, "nobody passes it on");
  const toAll = nodeToken("sales-1", EVERYBODY, Date.now(), "INFO.sales {}");
  assert.equal(readBy("billing-1").read(toAll, () => "INFO.sales {}")?.node, "sales-1");
  assert.equal(
    readBy("billing-1").read(toAll, () => "INFO.sales {more}"),
    undefined,
    "what all hear is signed word by word",
  );
  assert.equal(readBy("billing-1").read(toAll), undefined);
  assert.equal(readBy("inventory-1").read(made(certs, "ops"))?.rooms, ALL);
});

test("what another authority, another name, another time or another key says is no node's word", () => {
  const node = readBy("inventory-1");
  const now = Math.floor(Date.now() / 1_000);
  assert.ok(node.read(made(certs, "sales")));
  const forged: [string, string][] = [
    ["another authority's certificate", made(strangers, "sales")],
    ["the name of another node", made(certs, "sales", { sub: "ops-1" })],
    ["a name that only begins alike", made(certs, "sales", { sub: "salesforce" })],
    ["another system", made(certs, "sales", { iss: "another" })],
    ["another receiver", made(certs, "sales", { aud: "billing-1" })],
    ["for longer than they last", made(certs, "sales", { exp: now + 100_000 })],
    ["a time that is over", made(certs, "sales", { iat: now - 500, exp: now - 400 })],
    ["a time to come", made(certs, "sales", { iat: now + 500, exp: now + 560 })],
    ["an access token", made(certs, "sales", {}, { typ: "at+jwt" })],
    ["no certificate", made(certs, "sales", {}, { x5c: undefined })],
    ["a certificate that is none", made(certs, "sales", {}, { x5c: ["AAAA"] })],
    ["another algorithm", made(certs, "sales", {}, { alg: "HS256" })],
    ["the master key's, which this process has not", made(certs, "sales", {}, { alg: "EdDSA", x5c: undefined })],
    [
      "a server's certificate",
      made(
        {
          ...certs,
          node: () => ({ ...certs.node("sales"), TLS_CERT_FILE: certs.of("servers/nats.crt"), TLS_KEY_FILE: certs.of("servers/nats.key") }),
        },
        "nats",
      ),
    ],
    [
      "the authority's own",
      made(
        { ...certs, node: () => ({ ...certs.node("sales"), TLS_CERT_FILE: certs.of("ca.crt"), TLS_KEY_FILE: certs.of("ca.key") }) },
        "sales",
      ),
    ],
    [
      "another's certificate with one's own key",
      made({ ...certs, node: () => ({ ...certs.node("ops"), TLS_KEY_FILE: certs.node("sales").TLS_KEY_FILE }) }, "ops"),
    ],
  ];
  for (const [what, token] of forged) assert.equal(node.read(token), undefined, what);
});

test("a certificate that was renewed is shown from the next minute on, one that is half written or another's is not", async () => {
  const { issue } = await import("./certificates.ts");
  const file = certs.node("sales").TLS_CERT_FILE;
  const before = readFileSync(file, "utf8");
  const [ca, key] = [
    { key: readFileSync(certs.of("ca.key"), "utf8"), certificate: readFileSync(certs.of("ca.crt"), "utf8") },
    readFileSync(certs.node("sales").TLS_KEY_FILE, "utf8"),
  ];
  const headAt = (minute: number) => nodeToken("sales-1", "inventory-1", Date.now() + minute * 60_000).split(".")[0];
  const shown = headAt(0);
  for (const [minute, text] of [
    [2, before.slice(0, 200)],
    [4, readFileSync(certs.node("ops").TLS_CERT_FILE, "utf8")],
    [6, await issue(ca, key, { name: "others", hosts: [], rooms: ["deals"] })],
  ] as [number, string][]) {
    writeFileSync(file, text);
    assert.equal(headAt(minute), shown);
  }
  writeFileSync(file, await issue(ca, key, { name: "sales", hosts: [], rooms: ["deals"] }));
  assert.equal(headAt(6), shown, "it looks once a minute");
  assert.notEqual(headAt(8), shown);
  const token = nodeToken("sales-1", "inventory-1", Date.now() + 480_000);
  assert.deepEqual(readBy("inventory-1").read(token, undefined, Date.now() + 480_000)?.rooms, new Set(["deals"]));
  writeFileSync(file, before);
  assert.equal(headAt(10), shown);
});

test("a process takes the names that its certificate has, and no other", () => {
  requireIdentity("sales");
  requireIdentity("sales-host-1");
  for (const name of ["deals", "salesman", "ops-1", ""])
    assert.throws(() => requireIdentity(name), /NODE_ID must be sales or begin with sales-/);
});

test("a room calls of others what rooms of its kind call, of its own all, and a node with every room everything", () => {
  remember({ node: "sales-1", rooms: new Set(["deals"]) });
  remember({ node: "door-1", rooms: new Set(["gateway"]) });
  remember({ node: "ops-1", rooms: ALL });
  const may = (node: string, ...actions: string[]) => actions.map((action) => mayCall(node, action));
  assert.deepEqual(may("sales-1", "v1.deals.confirm", "v1.inventory.reserveMany", "v1.products.kinds", "v1.auth.keys"), [
    true,
    true,
    true,
    true,
  ]);
  assert.deepEqual(may("sales-1", "v1.users.get", "v1.auth.readKey", "v1.customers.saveMany", "$node.actions"), [
    false,
    false,
    false,
    false,
  ]);
  assert.deepEqual(may("door-1", "v1.auth.readKey", "v1.auth.revoked", "v1.inventory.receiveMany", "v1.users.byEmail"), [
    true,
    true,
    false,
    false,
  ]);
  assert.deepEqual(may("ops-1", "v1.users.byEmail", "$node.actions"), [true, true]);
  assert.deepEqual(may("nobody", "v1.auth.keys", "v1.deals.get"), [false, false], "whoever was not heard may nothing");
});
