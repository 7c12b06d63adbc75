import { parseArgs } from "node:util";
import { exitFor, isMisuse, Refused } from "../runtime/refused.ts";

const USAGE = `npm run certs -- [--dir certs] [--nodes gateway,deals,…] [--hosts a,b] [--exact] [--renew]

Makes what nodes and servers trust each other by: an authority (CA) for development and for clusters without one of their own, and under it
  nodes/NAME.crt, .key    a node's certificate, as a client of NATS, MongoDB and Redis: TLS_CERT_FILE, TLS_KEY_FILE
  nodes/NAME.seed         its nkey, which says to NATS who it is: NATS_NKEY_FILE
  nodes/NAME.nats         what NATS lets it do; nats.conf is made of all of these, for NATS's configuration to include
  servers/NAME.crt, .key  for nats, mongo (also in one file, mongo.pem), redis, and https (HTTPS_CERT_FILE, HTTPS_KEY_FILE)
  ca.crt                  TLS_CA_FILE. ca.key signs: keep it where no node can read it, or nowhere

What is there is kept; run again, it adds what is missing. Names of databases and streams come from NAMESPACE.

--dir PATH     the folder; certs
--nodes LIST   a node for each; one for each room, or with --renew those that are there. A name that is a room's runs that room;
               back=customers+products runs those two, operator=* all. Nobody else may say that he runs them, or publish their events. A process's NODE_ID is the name of its node, or begins with it: deals-2
--hosts LIST   names and addresses under which servers and nodes are reached, beside localhost
--exact        a node's NODE_ID is its name: it hears no call and no answer that is another's. Each process then needs a name of its own
--renew        certificates that have expired, or will within 30 days, are made anew under the same keys`;

const NAME = /^[A-Za-z0-9][A-Za-z0-9_]{0,39}$/;
const HOST = /^(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?$|^[0-9a-fA-F:]{2,39}$/;
const SERVERS = ["nats", "mongo", "redis", "https"];

const split = (text: string): string[] =>
  text
    .split(",")
    .map((item) => item.trim())
    .filter(Boolean);

/** A node and what it runs: `deals`, `back=customers+products`, `operator=*`. */
const wantedOf = (text: string, all: readonly string[]): { name: string; rooms: string[] } => {
  const [name = "", said = name] = text.split("=");
  if (!NAME.test(name)) throw new Refused(`--nodes: a name has 1 to 40 letters, digits and _, a letter or digit first, not "${name}"`);
  const rooms = said.split("+");
  const unknown = said === "*" ? [] : rooms.filter((room) => !all.includes(room));
  if (unknown.length === 0) return { name, rooms };
  throw new Refused(
    `--nodes: ${name}: there is no room ${unknown.join(", ")}; there are ${all.join(", ")}. Say what it runs: ${name}=deals+products`,
  );
};

const run = async () => {
  const { values } = parseArgs({
    options: {
      dir: { type: "string", default: "certs" },
      nodes: { type: "string" },
      hosts: { type: "string", default: "" },
      exact: { type: "boolean", default: false },
      renew: { type: "boolean", default: false },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return console.log(USAGE);
  const { config } = await import("../runtime/config.ts").catch((error: Error) => exitFor(new Refused(error.message)));
  const { allRooms } = await import("../runtime/node.ts");
  const all = allRooms();
  const hosts = split(values.hosts);
  const wrong = hosts.filter((host) => !HOST.test(host));
  if (wrong.length > 0) throw new Refused(`--hosts takes names and addresses, not "${wrong.join(", ")}"`);
  const named = values.nodes === undefined ? (values.renew ? [] : all) : split(values.nodes);
  const nodes = named.map((text) => wantedOf(text, all));
  const { CertsFolder } = await import("./certs.folder.ts");
  const { natsUser, natsUsersFile, newSeed } = await import("../bus/nats.users.ts");

  const folder = new CertsFolder(values.dir, values.renew);
  await folder.open();
  const others = values.renew ? folder.names("nodes", ".crt").filter((name) => nodes.every((node) => node.name !== name)) : [];
  for (const name of others) await folder.holder("nodes", { name, hosts: [], rooms: [] });
  const withEvents = all.filter((room) => room !== "gateway");
  for (const { name, rooms } of nodes) {
    await folder.holder("nodes", { name, hosts, rooms });
    const own = withEvents.filter((room) => rooms.includes(room) || rooms.includes("*"));
    const seed = await folder.keep(`nodes/${name}.seed`, newSeed);
    const user = { name, seed, namespace: config.namespace, rooms: withEvents, own, exact: values.exact };
    await folder.keep(`nodes/${name}.nats`, () => natsUser(user));
  }
  for (const name of SERVERS) await folder.holder("servers", { name, hosts: [name, ...hosts], rooms: [] });
  folder.put("servers/mongo.pem", folder.read("servers/mongo.crt") + folder.read("servers/mongo.key"));
  folder.put("nats.conf", natsUsersFile(folder.names("nodes", ".nats").map((name) => folder.read(`nodes/${name}.nats`))));
  const { made, kept } = folder.told;
  console.log(
    `${values.dir}: ${made.length > 0 ? `made ${made.join(", ")}` : "nothing was missing"}${kept.length > 0 ? `; ${kept.length} files were there and are kept` : ""}`,
  );
};

await run().catch((error: Error & { code?: string }) => {
  if (isMisuse(error)) return exitFor(new Refused(`${error.message}\n\n${USAGE}`));
  return exitFor(error.code && "path" in error ? new Refused(`--dir: ${error.message}`) : error);
});
