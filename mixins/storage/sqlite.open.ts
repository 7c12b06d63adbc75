import type { Drivers } from "./open.ts";
import { SqliteAdapter } from "./sqlite.adapter.ts";
import { SqliteAuditStore } from "./sqlite.audit-store.ts";
import { SqliteCursorStore } from "./sqlite.cursor-store.ts";
import { SqliteEventStore } from "./sqlite.event-store.ts";
import { SqliteKeyStore } from "./sqlite.key-store.ts";
import { SqliteLeaseStore } from "./sqlite.lease-store.ts";
import { SqliteSagaStore } from "./sqlite.saga-store.ts";
import { lookAtSteps, SqliteSchemaStore } from "./sqlite.schema-store.ts";
import { SqliteViewFile } from "./sqlite.view-file.ts";

/** Embedded: a file per room. */
export const drivers: Drivers = {
  openEventStore: (room) => SqliteEventStore.open(room),
  openLeaseStore: (room) => new SqliteLeaseStore(room),
  openSagaStore: (room) => new SqliteSagaStore(room),
  openCursorStore: (room) => new SqliteCursorStore(room),
  openViewFile: (room) => new SqliteViewFile(room),
  openSchemaStore: (room) => new SqliteSchemaStore(room),
  lookAtSteps,
  openKeyStore: () => new SqliteKeyStore(),
  openCollectionAdapter: () => new SqliteAdapter(),
  openAuditStore: (room) => new SqliteAuditStore(room),
};
