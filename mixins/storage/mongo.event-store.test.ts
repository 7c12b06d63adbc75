import { describe } from "node:test";
import { useServers, without } from "../../test/support/cluster.ts";
import { eventStoreContract } from "../../test/support/event-store.contract.ts";

describe("the event store on MongoDB", { skip: without("mongo") }, async () => {
  await useServers("mongo");
  const { MongoEventStore } = await import("./mongo.event-store.ts");
  eventStoreContract(() => MongoEventStore.open("contract"));
});
