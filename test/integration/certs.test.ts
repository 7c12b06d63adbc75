import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { chmodSync, globSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { authority, issue, newKey } from "../../mixins/trust/certificates.ts";
import { recipes } from "../servers/install.ts";
import { makeCerts } from "../support/certs.ts";
import { folder, run } from "../support/system.ts";

const certs = (args: string[], env = {}) => run(["mixins/trust/certs.command.ts", ...args], env);
const read = (dir: string, file: string) => readFileSync(join(dir, file), "utf8");
const certificate = (dir: string, file: string) => new X509Certificate(read(dir, file));
const contents = (dir: string) => Object.fromEntries(globSync("**/*.*", { cwd: dir }).map((file) => [file, read(dir, file)]));

test("each node gets a certificate that says who it is, a key and an nkey, which nobody else can read", async (t) => {
  const dir = join(folder(t), "certs");
  const { code, stdout } = await certs([
    "--dir",
    dir,
    "--nodes",
    "deals,back=customers+products",
    "--hosts",
    "banyan.example,10.0.0.7,fd00::1",
  ]);
  assert.equal(code, 0);
  assert.match(stdout, /made ca\.key, ca\.crt, nodes\/deals\.key/);
  const [ca, deals] = [certificate(dir, "ca.crt"), certificate(dir, "nodes/deals.crt")];
  assert.ok(ca.ca && ca.verify(ca.publicKey) && deals.verify(ca.publicKey) && deals.checkIssued(ca) && !deals.ca);
  assert.equal(deals.subject, "CN=deals");
  assert.match(
    deals.subjectAltName!,
    /^DNS:localhost, IP Address:127\.0\.0\.1, IP Address:0:0:0:0:0:0:0:1, .*URI:banyan:\/\/node\/deals, URI:banyan:\/\/room\/deals$/,
  );
  assert.match(certificate(dir, "nodes/back.crt").subjectAltName!, /URI:banyan:\/\/room\/customers, URI:banyan:\/\/room\/products$/);
  for (const host of ["banyan.example", "localhost"]) assert.equal(deals.checkHost(host), host);
  for (const address of ["127.0.0.1", "10.0.0.7", "fd00::1"]) assert.ok(deals.checkIP(address), address);
  assert.deepEqual(deals.keyUsage, ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"], "server and client");
  assert.equal(deals.publicKey.asymmetricKeyDetails?.namedCurve, "prime256v1");
  for (const server of ["nats", "mongo", "redis", "https"])
    assert.doesNotMatch(certificate(dir, `servers/${server}.crt`).subjectAltName!, /banyan:/, "a server is no node");
  const files = globSync("**/*.*", { cwd: dir });
  assert.equal(files.length, 2 + 2 * 4 + 4 * 2 + 2);
  for (const file of files) assert.equal(statSync(join(dir, file)).mode & 0o777, 0o600, file);
  for (const part of [".", "nodes", "servers"]) assert.equal(statSync(join(dir, part)).mode & 0o777, 0o700, part);
});

test("run again it keeps what is there, and adds what is missing", async (t) => {
  const dir = folder(t);
  await certs(["--dir", dir, "--nodes", "deals"]);
  const before = contents(dir);
  for (const more of [["--nodes", "deals"], ["--nodes", "deals", "--renew"], ["--renew"]])
    assert.match((await certs(["--dir", dir, ...more])).stdout, /nothing was missing/);
  assert.deepEqual(contents(dir), before);
  assert.match((await certs(["--dir", dir, "--nodes", "users,back=customers+products"])).stdout, /made nodes\/users\.key/);
  const after = contents(dir);
  for (const [file, text] of Object.entries(before)) if (file !== "nats.conf") assert.equal(after[file], text, file);
  const users = [...after["nats.conf"]!.matchAll(/# (.*)\n/g)].map(([, comment]) => comment);
  assert.deepEqual(users.slice(1), ["back: customers, products", "deals: deals", "users: users"]);
  const [nats] = recipes.nats.found() ?? [];
  if (nats) assert.equal(spawnSync(nats, ["-t", "-c", join(dir, "nats.conf")]).status, 0);
});

test("two at once make one set", async (t) => {
  const dir = folder(t);
  const both = await Promise.all([1, 2].map(() => certs(["--dir", dir, "--nodes", "deals"])));
  assert.deepEqual(
    both.map(({ code, stderr }) => [code, stderr]),
    [
      [0, ""],
      [0, ""],
    ],
  );
  const [ca, deals] = [certificate(dir, "ca.crt"), certificate(dir, "nodes/deals.crt")];
  assert.ok(deals.verify(ca.publicKey));
  assert.ok(read(dir, "nats.conf").includes(/nkey: (U\w+)/.exec(read(dir, "nodes/deals.nats"))![1]!));
});

test("what ends soon is renewed when it is asked for, under the same keys and for the same hosts", async (t) => {
  const dir = folder(t);
  const key = await newKey();
  const old = await authority(key, 10);
  for (const part of ["nodes", "servers"]) mkdirSync(join(dir, part));
  const [deals, nats] = [await newKey(), await newKey()];
  const holder = { name: "deals", hosts: ["banyan.example"], rooms: ["deals"] };
  writeFileSync(join(dir, "ca.key"), key);
  writeFileSync(join(dir, "ca.crt"), old);
  writeFileSync(join(dir, "nodes/deals.key"), deals);
  writeFileSync(join(dir, "nodes/deals.crt"), await issue({ key, certificate: old }, deals, holder));
  writeFileSync(join(dir, "servers/nats.key"), nats);
  writeFileSync(join(dir, "servers/nats.crt"), await issue({ key, certificate: old }, nats, { name: "nats", hosts: [], rooms: [] }));
  const before = contents(dir);
  await certs(["--dir", dir, "--nodes", "users"]);
  for (const [file, text] of Object.entries(before)) assert.equal(read(dir, file), text, `${file}: nobody asked`);
  const { stdout } = await certs(["--dir", dir, "--nodes", "users", "--renew"]);
  assert.match(stdout, /made ca\.crt, nodes\/deals\.crt, .*servers\/nats\.crt/);
  for (const file of ["ca.key", "nodes/deals.key", "servers/nats.key"]) assert.equal(read(dir, file), before[file], file);
  const renewed = certificate(dir, "nodes/deals.crt");
  assert.ok(renewed.validToDate.getTime() > Date.now() + 300 * 86_400_000);
  assert.ok(renewed.verify(new X509Certificate(old).publicKey), "who still has the old authority's certificate takes it");
  assert.equal(renewed.checkHost("banyan.example"), "banyan.example");
  assert.match(renewed.subjectAltName!, /URI:banyan:\/\/node\/deals, URI:banyan:\/\/room\/deals$/);
});

test("what it cannot do it says, and makes nothing", async (t) => {
  const dir = join(folder(t), "certs");
  for (const [args, complaint] of [
    [["--nodes", "de als"], /--nodes: a name has/],
    [["--nodes", "../x"], /--nodes: a name has/],
    [["--nodes", "deals-2"], /--nodes: a name has .*"deals-2"/],
    [["--nodes", "office"], /there is no room office; .*office=deals\+products/],
    [["--nodes", "back=sails"], /there is no room sails; there are analytics/],
    [["--hosts", "a b"], /--hosts takes names and addresses/],
    [["--dri", "x"], /dri.*npm run certs/s],
  ] as const) {
    const { code, stderr } = await certs(["--dir", dir, ...args]);
    assert.equal(code, 2, args.join(" "));
    assert.match(stderr, complaint);
  }
  assert.deepEqual(globSync(dir), []);
  const { code, stderr } = await certs(["--dir", "/proc/certs"]);
  assert.equal(code, 2);
  assert.match(stderr, /--dir: .*\/proc/);
  assert.match((await certs(["--help"])).stdout, /^npm run certs -- /);
});

test("a setting of TLS that is of no use, or half of one, stops the start with a reason", async (t) => {
  const dir = folder(t);
  const made = await makeCerts(dir, ["--nodes", "deals,users"]);
  const { NATS_NKEY_FILE: seed, ...tls } = made.node("deals");
  const cluster = { TRANSPORTER: "tls://127.0.0.1:1", MONGO_URL: "mongodb://127.0.0.1:1/?tls=true", REDIS_URL: "rediss://127.0.0.1:1" };
  const doctor = async (env: Record<string, string>) => (await run(["mixins/runtime/doctor.command.ts"], env)).stdout;
  const cases: [Record<string, string>, RegExp][] = [
    [
      { ...cluster, ...tls, TRANSPORTER: "nats://127.0.0.1:1" },
      /TLS_CA_FILE is set and TRANSPORTER is an address without TLS: write it as tls:\/\//,
    ],
    [{ ...cluster, ...tls, MONGO_URL: "mongodb://127.0.0.1:1/" }, /MONGO_URL is an address without TLS: write it as …\?tls=true/],
    [{ ...cluster, ...tls, MONGO_URL: "mongodb+srv://a.example/?tls=false" }, /MONGO_URL is an address without TLS/],
    [{ ...cluster, ...tls, REDIS_URL: "redis://127.0.0.1:1" }, /REDIS_URL is an address without TLS: write it as rediss:/],
    [{ ...cluster, TRANSPORTER: "tls://127.0.0.1:1,nats://127.0.0.1:2" }, /TRANSPORTER must be an address/],
    [{ TLS_CERT_FILE: tls.TLS_CERT_FILE }, /TLS_CERT_FILE is set and TLS_KEY_FILE is not/],
    [{ HTTPS_KEY_FILE: tls.TLS_KEY_FILE }, /HTTPS_KEY_FILE is set and HTTPS_CERT_FILE is not/],
    [{ ...tls, TLS_KEY_FILE: made.node("users").TLS_KEY_FILE }, /TLS_KEY_FILE: .* is not the key of the certificate in/],
    [{ ...tls, TLS_KEY_FILE: seed }, /TLS_KEY_FILE: .* holds no private key/],
    [{ TLS_CA_FILE: tls.TLS_KEY_FILE }, /TLS_CA_FILE: .* holds no certificate/],
    [{ TLS_CA_FILE: "/nowhere" }, /TLS_CA_FILE: \/nowhere cannot be read \(ENOENT\)/],
    [{ NATS_NKEY_FILE: tls.TLS_KEY_FILE }, /NATS_NKEY must be the seed/],
    [{ ...cluster, NATS_NKEY_FILE: seed, TRANSPORTER: "tls://banyan:s3cr3t@127.0.0.1:1" }, /NATS_NKEY is set and TRANSPORTER names a user/],
  ];
  for (const [env, reason] of cases) {
    const said = await doctor(env);
    assert.match(said, /^wrong settings /);
    assert.match(said, reason);
    assert.doesNotMatch(said, /s3cr3t|PRIVATE|SU[A-Z2-7]{20}/);
  }
});

test("the doctor tells what ends, and who can read the keys", async (t) => {
  const dir = folder(t);
  const [key, own] = [await newKey(), await newKey()];
  const file = (name: string, text: string, mode = 0o600) => {
    writeFileSync(join(dir, name), text, { mode });
    chmodSync(join(dir, name), mode);
    return join(dir, name);
  };
  const [soon, past] = [await authority(key, 10), await authority(key, -1)];
  const holder = { name: "https", hosts: [], rooms: [] };
  const env = {
    DATA_DIR: dir,
    TLS_CA_FILE: file("soon.crt", soon),
    HTTPS_CERT_FILE: file("past.crt", await issue({ key, certificate: past }, own, holder)),
    HTTPS_KEY_FILE: file("own.key", own, 0o640),
    MASTER_KEY: "",
    TRANSPORTER: "", // alone, where the key's file is one of them
    MONGO_URL: "",
  };
  mkdirSync(join(dir, "keys"));
  file("keys/master.key", Buffer.alloc(32, 1).toString("base64"), 0o644);
  const { code, stdout } = await run(["mixins/runtime/doctor.command.ts"], env);
  assert.equal(code, 1);
  assert.match(stdout, /^warn +trust +TLS_CA_FILE \(CN=Banyan development CA\) ends on .*--renew/m);
  assert.match(stdout, /^wrong +trust +HTTPS_CERT_FILE \(CN=https\) has ended on/m);
  assert.match(stdout, /^warn +trust +.*own\.key can be read by others: chmod 600/m);
  assert.match(stdout, /^warn +trust +.*keys\/master\.key can be read by others/m);
});

test("a certificate that names more than a message carries stops the start of its node, with what to do about it", async (t) => {
  const hosts = Array.from({ length: 60 }, (_, n) => `node-${n}.banyan.production.svc.cluster.local`).join(",");
  const made = await makeCerts(folder(t), ["--nodes", "gateway", "--hosts", hosts]);
  const env = { NODE_ID: "gateway", TRANSPORTER: "tls://127.0.0.1:1", MONGO_URL: "mongodb://127.0.0.1:1/?tls=true", PORT: "0" };
  const { code, stderr } = await run(["start.ts", "gateway"], { ...env, ...made.node("gateway") });
  assert.equal(code, 2, stderr);
  assert.match(stderr, /^\S+gateway\.crt names too much: .* \d+ characters long \(4096 at most\)\. Give it fewer --hosts.*\n$/);
});
