import "../../test/support/credentials.env.ts";
import { describe } from "node:test";
import { without } from "../../test/support/cluster.ts";
import { settleOnMongo } from "../../test/support/setting.ts";

describe("the vault on MongoDB", { skip: without("mongo") }, async () => {
  await settleOnMongo();
  await import("./auth.key-vault.test.ts"); // the same vault, the same tests
});
