import "../../test/support/credentials.env.ts";
import { describe } from "node:test";
import { without } from "../../test/support/cluster.ts";
import { settleOnMongo } from "../../test/support/setting.ts";

describe("sealed fields of customers on MongoDB", { skip: without("mongo") }, async () => {
  await settleOnMongo();
  await import("./customers.sealed.test.ts"); // the same room, the same tests
});
