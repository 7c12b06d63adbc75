import { settleOnMongo } from "../../test/support/setting.ts";

await settleOnMongo();
await import("./customers.service.test.ts"); // the same room, the same tests
