import { describe } from "node:test";
import { without } from "../../test/support/cluster.ts";
import { settleOnMongo } from "../../test/support/setting.ts";

describe("users on MongoDB", { skip: without("mongo") }, async () => {
  await settleOnMongo();
  await import("./users.service.test.ts");
});
