import { settleInCluster } from "../../test/support/setting.ts";

await settleInCluster();
await import("./products.service.test.ts"); // the same room, the same tests
