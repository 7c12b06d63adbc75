import { describe } from "node:test";
import type { Service, ServiceBroker } from "moleculer";
import { without } from "../../test/support/cluster.ts";
import { adapterContract } from "../../test/support/collection-adapter.contract.ts";
import { onStandIn, settleOnMongo } from "../../test/support/setting.ts";

describe("the adapter on MongoDB", { skip: without("mongo") }, async () => {
  await settleOnMongo();
  const { MongoAdapter } = await import("./mongo.adapter.ts");

  adapterContract({
    async open(name, settings) {
      const adapter = new MongoAdapter();
      adapter.init({} as ServiceBroker, { name, settings, logger: console } as unknown as Service);
      await adapter.connect();
      return adapter;
    },
    async empty(adapter) {
      await (adapter as InstanceType<typeof MongoAdapter>).collection.deleteMany({});
    },
    exact: !onStandIn(),
    rounds: 50,
  });
});
