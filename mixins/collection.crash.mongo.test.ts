import { settleOnMongo } from "../test/support/setting.ts";

await settleOnMongo();
await import("./collection.crash.test.ts"); // the same processes, the same kills
