import { settleOnMongo } from "../../test/support/setting.ts";

await settleOnMongo();
await import("./products.service.test.ts"); // the same room, the same tests
