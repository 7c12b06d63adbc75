import { type Db, type Document, MongoClient } from "mongodb";
import { shownAddress } from "../runtime/address.ts";
import { config, ENCRYPTED } from "../runtime/config.ts";
import { Examination, type Finding } from "../runtime/examination.ts";
import { judgeMongo } from "./mongo.findings.ts";
import { mongoTls } from "./mongo.host.ts";

const PATIENCE = 2_000;

/** MongoDB, which keeps the record: whether it is there, what kind of it, and on how many disks a write stands. */
export const examineMongo = async (): Promise<Finding[]> => {
  const mongo = new Examination("mongodb");
  const address = config.mongoUrl;
  if (!address) return mongo.findings;
  const options = { appName: "banyan doctor", serverSelectionTimeoutMS: PATIENCE, connectTimeoutMS: PATIENCE, socketTimeoutMS: PATIENCE };
  let client: MongoClient | undefined;
  try {
    client = new MongoClient(address, { ...mongoTls(address), ...options });
    await examine(mongo, client.db("admin"), shownAddress(address));
    mongo.encrypted(shownAddress(address), ENCRYPTED.MONGO_URL.is(address), ENCRYPTED.MONGO_URL.written);
    if (/[?&](tlsInsecure|tlsAllowInvalid\w+)=true/.test(address))
      mongo.wrong("MONGO_URL has it believe any server: take out tlsInsecure and tlsAllowInvalid…, and name its authority in TLS_CA_FILE");
    await look(mongo, client.db(`${config.namespace}_deals`));
  } catch (error) {
    mongo.wrong(`${shownAddress(address)} is not to be had: ${(error as Error).message}; is it running, and MONGO_URL its address?`);
  } finally {
    await client?.close();
  }
  return mongo.findings;
};

const examine = async (mongo: Examination, admin: Db, address: string) => {
  await admin.command({ ping: 1 }); // the first connection takes its time, which is not the clock's
  const asked = Date.now();
  const hello = await admin.command({ hello: 1 }).catch(() => admin.command({ isMaster: 1 }));
  if (hello.localTime instanceof Date) mongo.clock(hello.localTime.getTime(), asked);
  judgeMongo(mongo, address, {
    hello,
    build: await mongo.ask("its version", () => admin.command({ buildInfo: 1 })),
    set: hello.setName ? await mongo.ask("the replica set's members", () => admin.command({ replSetGetStatus: 1 })) : undefined,
    defaults: await answerOf(admin, { getDefaultRWConcern: 1 }),
    status: await answerOf(admin, { serverStatus: 1 }),
    options: await answerOf(admin, { getCmdLineOpts: 1 }),
  });
};

/** What not every server says, nor to every user; not worth a warning. */
const answerOf = (admin: Db, command: Document): Promise<Document | undefined> => admin.command(command).catch(() => undefined);

/** Whether a room's database may be used at all: to say hello one need not log in. */
const look = async (mongo: Examination, room: Db) => {
  try {
    const collections = await room.listCollections({}, { nameOnly: true }).toArray();
    mongo.ok(`${room.databaseName} can be read: ${collections.length} collections`);
  } catch (error) {
    const { message } = error as Error;
    mongo.wrong(`${room.databaseName} cannot be read (${message}): give the user readWrite on every ${config.namespace}_ database`);
  }
};
