import type { Document } from "mongodb";
import { atLeast, type Examination } from "../runtime/examination.ts";

/** What a server says of itself; each is missing where it does not answer that question. */
export interface MongoFacts {
  /** Of `hello`, or of `isMaster` where that is all it knows. */
  readonly hello: Document;
  readonly build?: Document;
  /** Of `replSetGetStatus`. */
  readonly set?: Document;
  /** Of `getDefaultRWConcern`. */
  readonly defaults?: Document;
  /** Of `serverStatus`. */
  readonly status?: Document;
  /** Of `getCmdLineOpts`. */
  readonly options?: Document;
}

const [PRIMARY, SECONDARY, ARBITER] = [1, 2, 7];

/** Says of a MongoDB what kind of it it is, and on how many disks a write stands. */
export const judgeMongo = (mongo: Examination, address: string, facts: MongoFacts): void => {
  const { hello, build } = facts;
  const says = `${build?.version ?? "of unknown version"} (wire ${hello.maxWireVersion}) at ${address}`;
  const genuine = Array.isArray(build?.storageEngines) && !build.ferretdb;
  if (!genuine) mongo.ok(`${says}; not MongoDB's own server, but one that speaks its protocol: what follows is what it says of itself`);
  else if (atLeast(String(build.version), 7, 0)) mongo.ok(says);
  else mongo.warn(`${says}: versions before 7.0 get no corrections any more`);
  if (hello.msg === "isdbgrid") mongo.ok("sharded: shard a room's collections by a hash of _id, and let every shard be a replica set");
  else if (hello.setName) judgeSet(mongo, facts);
  else
    mongo.warn("a standalone server: what is acknowledged stands on one disk, and while it is away nothing is; run a replica set of three");
  judgeWrites(mongo, facts);
};

const judgeSet = (mongo: Examination, { hello, set }: MongoFacts) => {
  const named: string[] = [...(hello.hosts ?? []), ...(hello.passives ?? [])];
  const members: { name: string; state: number }[] = set?.members ?? [];
  const away = members.filter(({ state }) => ![PRIMARY, SECONDARY, ARBITER].includes(state)).map(({ name }) => name);
  const says = `replica set ${hello.setName} of ${members.length || named.length}`;
  if (away.length > 0) mongo.warn(`${says}; away or not in step: ${away.join(", ")}`);
  else if (hello.arbiters?.length > 0 || members.some(({ state }) => state === ARBITER))
    mongo.warn(`${says} with one that only votes: with another away no write has a majority; let it hold data`);
  else if (named.length === 1) mongo.warn(`${says}: it stands on one disk; three members keep what is acknowledged when one is lost`);
  else mongo.ok(says);
};

const judgeWrites = (mongo: Examination, { defaults, status, options }: MongoFacts) => {
  const w = defaults?.defaultWriteConcern?.w;
  mongo.ok(
    `every write asks for w: majority and the journal${w === undefined ? "" : `; the server's own default, w: ${w}, does not matter`}`,
  );
  const { name, persistent } = status?.storageEngine ?? {};
  if (persistent === false) mongo.wrong(`its storage engine ${name} keeps nothing over a restart: run it with wiredTiger`);
  else if (name) mongo.ok(`storage engine ${name}`);
  if (options?.parsed?.storage?.journal?.enabled === false)
    mongo.wrong("journaling is off: what is acknowledged is lost in a crash; remove nojournal or storage.journal.enabled");
};
