import { describe } from "node:test";
import { useServers, without } from "../support/cluster.ts";

describe("audit in a cluster", { skip: without("nats", "mongo") }, async () => {
  await useServers("nats", "mongo");
  await import("./audit.test.ts"); // the same room, the same tests
});
