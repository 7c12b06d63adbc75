import { describe } from "node:test";
import { without } from "../test/support/cluster.ts";
import { settleOnMongo } from "../test/support/setting.ts";

describe("a collection on MongoDB, and processes that crash", { skip: without("mongo") }, async () => {
  await settleOnMongo();
  await import("./collection.crash.test.ts"); // the same processes, the same kills
});
