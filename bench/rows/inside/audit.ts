import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { config } from "../../../mixins/runtime/config.ts";
import type { AuditRow } from "../../../mixins/storage/audit-store.ts";
import { openAuditStore } from "../../../mixins/storage/open.ts";
import { auditKeyOf, kidOf, publicText } from "../../../mixins/trust/audit-key.ts";
import { masterKey } from "../../../mixins/trust/master-key.ts";
import { chaining } from "../../../services/audit/audit.chain.ts";
import { entriesOf } from "../../../services/audit/audit.entries.ts";
import { KINDS, numbers } from "../../audit.tamper.ts";
import { dealRequest } from "../../deals.ts";

/** A trail of a million entries of deals with one line, and a thousand tamperings in it. */
const DAYS = 10;
const A_DAY = 100_000;
const TAMPERINGS = 1_000;
const dayOf = (day: number) => `2026-01-${String(day + 1).padStart(2, "0")}`;

const make = async () => {
  const store = openAuditStore("audit");
  const key = auditKeyOf(masterKey());
  let day = 0;
  const chained = chaining({ kid: kidOf(publicText(key)), key }, () => Date.parse(dayOf(day)));
  const { lines, ...header } = dealRequest(1, 1);
  const events = [{ type: "DealOpened", ...header, lines }];
  for (; day < DAYS; day++) {
    const at = Date.parse(dayOf(day));
    for (let n = 0; n < A_DAY; n += 10_000) {
      const drafts = Array.from({ length: 10_000 }, (_, i) => {
        const stream = `d-${day}-${n + i}`;
        const from = { by: "ann", session: "s-1", from: "192.0.2.7", request: `r-${stream}` };
        return entriesOf("deals", { id: `c-${stream}`, stream, version: 1, position: 0, events, at, occurredAt: at, ...from })[0]!;
      });
      await store.write(drafts, chained);
    }
  }
  await store.close();
  return { entries: DAYS * A_DAY };
};

const tamper = () => {
  const db = new DatabaseSync(join(config.dataDir, "audit.db"));
  const read = db.prepare("SELECT * FROM audit WHERE day = ? AND n >= ? AND n < ? ORDER BY n");
  const remove = db.prepare("DELETE FROM audit WHERE day = ? AND n = ?");
  const change = db.prepare("UPDATE audit SET body = ?3, prev = ?4, chain = ?5, seal = ?6 WHERE day = ?1 AND n = ?2");
  const random = numbers(1);
  const names = Object.keys(KINDS);
  const width = (DAYS * A_DAY) / TAMPERINGS;
  const expected: string[] = [];
  db.exec("BEGIN");
  for (let k = 0; k < TAMPERINGS; k++) {
    const at = k * width + 1 + Math.floor(random() * (width - 8));
    const [day, n] = [dayOf(Math.floor(at / A_DAY)), (at % A_DAY) + 1];
    const before = (read.all(day, n, n + 6) as unknown as (AuditRow & { seal: string | null })[]).map(({ seal, ...row }) => ({
      ...row,
      ...(seal !== null && { seal }),
    }));
    const rows: (AuditRow | undefined)[] = [...before];
    const { places, faults } = KINDS[names[Math.floor(random() * names.length)]!]!(rows, 1, 2 + Math.floor(random() * 3));
    expected.push(...places.map((place) => `${place} ${faults[0]}`));
    for (const [i, row] of rows.entries()) {
      if (row === before[i]) continue;
      if (row) change.run(row.day, row.n, row.body, row.prev, row.chain, row.seal ?? null);
      else remove.run(before[i]!.day, before[i]!.n);
    }
  }
  db.exec("COMMIT");
  db.close();
  return { expected };
};

console.log(JSON.stringify(process.argv[2] === "make" ? await make() : tamper()));
