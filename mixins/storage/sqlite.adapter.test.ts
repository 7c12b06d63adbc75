import type { Service, ServiceBroker } from "moleculer";
import { adapterContract } from "../../test/support/collection-adapter.contract.ts";
import { settle } from "../../test/support/setting.ts";

settle();
const { SqliteAdapter } = await import("./sqlite.adapter.ts");

adapterContract({
  async open(name, settings) {
    const adapter = new SqliteAdapter();
    adapter.init({} as ServiceBroker, { name, settings } as unknown as Service);
    await adapter.connect();
    return adapter;
  },
  async empty(adapter) {
    const { file } = adapter as InstanceType<typeof SqliteAdapter>;
    await file.write(() => file.db.exec("DELETE FROM collection; DELETE FROM collection_keys"));
  },
  exact: true,
  rounds: 150,
});
