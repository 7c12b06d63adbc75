import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { checkers } from "../servers/checkers.ts";
import { recipes } from "../servers/install.ts";
import { folder, HOUSE } from "../support/system.ts";
import { isPinned, patience, readText, rooms, settings, version } from "./project.ts";

interface Container {
  image: string;
  build?: { context: string };
  command?: string[];
  environment?: Record<string, string>;
  ports?: { host_ip?: string; published: string; target: number }[];
  networks: Record<string, unknown>;
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test: string[] };
  volumes?: { source: string; target: string }[];
  [key: string]: unknown;
}

interface Composition {
  services: Record<string, Container>;
  networks: Record<string, { internal?: boolean }>;
  volumes: Record<string, unknown>;
}

const [checker] = checkers.compose.found() ?? [];
const options = { skip: !checker && "the reader of compose files is not installed: npm run servers -- --install" };

/** Reads it with what `docker compose` reads it with: the published schema, variables, and whether what is named exists. */
const read = (env: Record<string, string> = {}, file = "docker-compose.yml") =>
  spawnSync(checker!, [file], { cwd: HOUSE, env, encoding: "utf8" });

/** As Docker would have it, with everything that anchors and variables stand for. */
const composed = (env: Record<string, string> = {}): Composition => {
  const { status, stdout, stderr } = read({ ...GIVEN, ...env });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
};

const GIVEN = { MASTER_KEY: "what wraps all keys" };
const SERVERS = ["mongo", "nats", "redis"];
const nodesOf = ({ services }: Composition) => Object.entries(services).filter(([name]) => !SERVERS.includes(name));

test("the compose file is one", options, () => {
  const { services } = composed();
  assert.deepEqual(Object.keys(services).sort(), [...rooms, ...SERVERS].sort());
});

test(
  "without the key that wraps all others nothing is started, and it is said how to make one; every node has it, for it says by it that it is one",
  options,
  () => {
    const { status, stderr } = read();
    assert.notEqual(status, 0);
    assert.match(stderr, /MASTER_KEY .*openssl rand/);
    const knowing = nodesOf(composed()).filter(([, { environment }]) => "MASTER_KEY" in environment!);
    assert.equal(knowing.length, rooms.length);
  },
);

test("what is no compose file is found", options, (t) => {
  const text = readText("docker-compose.yml");
  for (const [part, spoilt, reason] of [
    ["  restart: unless-stopped", "  restrat: unless-stopped", /restrat/],
    ["condition: service_healthy", "condition: service_helthy", /condition value must be one of/],
    ["networks: [servers]", "networks: [severs]", /undefined network severs/],
    ['"nats:/data"', '"nast:/data"', /undefined volume nast/],
    ["source: nats,", "source: nast,", /undefined config nast/],
    ["mongo: { condition", "mango: { condition", /undefined service mango|mango/],
  ] as const) {
    assert.ok(text.includes(part), part);
    const file = join(folder(t), "docker-compose.yml");
    writeFileSync(file, text.replace(part, spoilt));
    const { status, stderr } = read(GIVEN, file);
    assert.notEqual(status, 0, spoilt);
    assert.match(stderr, reason);
  }
});

test("each room runs in one container, of one image, which is built once", options, () => {
  const composition = composed();
  const nodes = nodesOf(composition);
  assert.deepEqual(nodes.map(([, { environment }]) => environment!.ROOMS).sort(), rooms);
  for (const [name, { environment, image }] of nodes) {
    assert.equal(environment!.ROOMS, name);
    assert.equal(image, `banyan:${version}`);
  }
  assert.deepEqual(
    nodes.filter(([, { build }]) => build).map(([name]) => name),
    ["gateway"],
  );
});

test("every variable that a container is given is a setting", options, () => {
  for (const [name, { environment }] of nodesOf(composed())) {
    assert.deepEqual(
      Object.keys(environment!).filter((variable) => !settings.has(variable)),
      [],
      name,
    );
  }
});

test("nothing can be reached but the gateway, and that from this host only", options, () => {
  const composition = composed();
  const open = Object.entries(composition.services).flatMap(([name, { ports = [] }]) => ports.map((port) => ({ name, ...port })));
  assert.deepEqual(
    open.map(({ name, host_ip, published, target }) => [name, host_ip, published, target]),
    [["gateway", "127.0.0.1", "3000", 3000]],
  );
  for (const name of SERVERS) assert.deepEqual(Object.keys(composition.services[name]!.networks), ["servers"]);
  assert.equal(composition.networks.servers!.internal, true);
  assert.equal(composed({ PUBLISH: "0.0.0.0:80" }).services.gateway!.ports![0]!.host_ip, "0.0.0.0");
});

test("every container is kept small, is started again, and changes none of its own files", options, () => {
  const composition = composed();
  for (const [name, container] of Object.entries(composition.services)) {
    assert.equal(container.read_only, true, name);
    assert.equal(container.restart, "unless-stopped", name);
    assert.deepEqual(container.security_opt, ["no-new-privileges:true"], name);
    const { limits } = (container.deploy as { resources: { limits: Record<string, unknown> } }).resources;
    assert.deepEqual(Object.keys(limits).sort(), ["cpus", "memory", "pids"], name);
    assert.ok(container.logging, `${name}: its log ends somewhere`);
  }
  for (const [name, container] of nodesOf(composition)) {
    assert.deepEqual(container.cap_drop, ["ALL"], name);
    assert.ok(Number.parseFloat(String(container.stop_grace_period)) > patience, `${name} is given the time to stop`);
  }
});

test("a node waits until its servers are well, and each of those says how it is", options, () => {
  const composition = composed();
  for (const name of SERVERS) assert.ok(composition.services[name]!.healthcheck!.test.length > 1, name);
  for (const [name, { depends_on: on }] of nodesOf(composition)) {
    assert.deepEqual(Object.keys(on!).sort(), SERVERS, name);
    assert.deepEqual([...new Set(Object.values(on!).map(({ condition }) => condition))], ["service_healthy"]);
  }
});

test("the addresses that nodes are given lead to the servers, and others can be given, which the file does not know", options, () => {
  const { services } = composed();
  const { TRANSPORTER, MONGO_URL, REDIS_URL } = services.deals!.environment!;
  for (const address of [TRANSPORTER!, MONGO_URL!, REDIS_URL!]) assert.ok(SERVERS.includes(new URL(address).hostname), address);
  const set = /replicaSet=(\w+)/.exec(MONGO_URL!)![1]!;
  assert.deepEqual(services.mongo!.command!.slice(0, 2), ["--replSet", set]);
  assert.match(services.mongo!.healthcheck!.test.at(-1)!, new RegExp(`_id: '${set}'.*host: 'mongo:27017'`));
  const own = composed({ MONGO_URL: "mongodb://u:s3cr3t@db.example.com/" });
  for (const [name, { environment }] of nodesOf(own)) assert.equal(environment!.MONGO_URL, "mongodb://u:s3cr3t@db.example.com/", name);
  assert.doesNotMatch(readText("docker-compose.yml").replace(/^ *#.*$/gm, ""), /password|secret|:\/\/[^/\s]*@/i);
});

test("data that must stay is on volumes, and images say their version", options, () => {
  const { services, volumes } = composed();
  assert.deepEqual(
    [services.nats!, services.mongo!].map(({ volumes: mounted }) => mounted!.map(({ source, target }) => `${source}:${target}`)),
    [["nats:/data"], ["mongo:/data/db", "mongo-config:/data/configdb"]],
  );
  assert.deepEqual(Object.keys(volumes).sort(), ["mongo", "mongo-config", "nats"]);
  for (const [name, { image }] of Object.entries(services)) assert.ok(isPinned(image), `${name}: ${image}`);
});

test("NATS is given a file that it takes, and that keeps what it is given on the volume", () => {
  const [nats] = recipes.nats.found() ?? [];
  assert.ok(existsSync(join(HOUSE, "nats.conf")));
  assert.match(readText("docker-compose.yml"), /nats: \{ file: \.\/nats\.conf \}/);
  assert.match(readText("nats.conf"), /^ {2}store_dir: \/data$/m);
  if (!nats) return;
  const { status, stderr } = spawnSync(nats, ["-t", "-c", "nats.conf"], { cwd: HOUSE, encoding: "utf8" });
  assert.equal(status, 0, stderr);
});

test("Redis makes room by itself", options, () => {
  const { command } = composed().services.redis!;
  assert.deepEqual(command!.slice(command!.indexOf("--maxmemory")), ["--maxmemory", "256mb", "--maxmemory-policy", "allkeys-lru"]);
});
