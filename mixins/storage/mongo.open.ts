import { MongoAdapter } from "./mongo.adapter.ts";
import { MongoAuditStore } from "./mongo.audit-store.ts";
import { MongoCursorStore } from "./mongo.cursor-store.ts";
import { MongoEventStore } from "./mongo.event-store.ts";
import { MongoKeyStore } from "./mongo.key-store.ts";
import { MongoLeaseStore } from "./mongo.lease-store.ts";
import { MongoSagaStore } from "./mongo.saga-store.ts";
import { lookAtSteps, MongoSchemaStore } from "./mongo.schema-store.ts";
import { MongoViewFile } from "./mongo.view-file.ts";
import type { Drivers } from "./open.ts";

/** In a cluster: a database per room. */
export const drivers: Drivers = {
  openEventStore: (room) => MongoEventStore.open(room),
  openLeaseStore: (room) => new MongoLeaseStore(room),
  openSagaStore: (room) => new MongoSagaStore(room),
  openCursorStore: (room) => new MongoCursorStore(room),
  openViewFile: (room) => new MongoViewFile(room),
  openSchemaStore: (room) => new MongoSchemaStore(room),
  lookAtSteps,
  openKeyStore: () => new MongoKeyStore(),
  openCollectionAdapter: () => new MongoAdapter(),
  openAuditStore: (room) => new MongoAuditStore(room),
};
