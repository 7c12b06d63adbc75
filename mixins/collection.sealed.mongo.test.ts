import "../test/support/credentials.env.ts";
import { describe } from "node:test";
import { without } from "../test/support/cluster.ts";
import { settleOnMongo } from "../test/support/setting.ts";

describe("sealed fields on MongoDB", { skip: without("mongo") }, async () => {
  await settleOnMongo();
  await import("./collection.sealed.test.ts"); // the same rooms, the same tests
});
