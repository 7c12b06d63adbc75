import { describe } from "node:test";
import { without } from "../../test/support/cluster.ts";
import { settleOnMongo } from "../../test/support/setting.ts";

describe("products on MongoDB", { skip: without("mongo") }, async () => {
  await settleOnMongo();
  await import("./products.service.test.ts"); // the same room, the same tests
});
