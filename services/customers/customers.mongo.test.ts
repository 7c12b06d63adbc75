import { settleInCluster } from "../../test/support/setting.ts";

await settleInCluster();
await import("./customers.service.test.ts"); // the same room, the same tests
