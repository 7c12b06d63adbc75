import { createPublicKey, hash, type KeyObject, sign, verify } from "node:crypto";
import type { AuditRow, Chained, Draft } from "../../mixins/storage/audit-store.ts";

/** Whose hand a signature is: an Ed25519 key, known by the first sixteen letters of its public part. */
export interface Signer {
  readonly kid: string;
  readonly key: KeyObject;
}

/** What vouches for the entries from the `first` of a day to the one that carries it. */
export interface Seal {
  readonly first: number;
  readonly kid: string;
  readonly signature: string;
}

/** The chain's value at an entry. Its body says its day and number. */
export const linked = (prev: string, body: string): string => hash("sha256", `${prev}\n${body}`, "base64url");

/** What each entry begins with, where it stands where it was written. */
export const beginning = (day: string, n: number): string => `{"day":"${day}","n":${n},`;

const signed = (day: string, first: number, last: number, chain: string) =>
  Buffer.from(`banyan audit\n${day}\n${first}\n${last}\n${chain}`);

export const isSealed = ({ day, n }: AuditRow, chain: string, { first, signature }: Seal, key: KeyObject): boolean =>
  verify(null, signed(day, first, n, chain), key, Buffer.from(signature, "base64url"));

/** Undefined where it is none. */
export const sealOf = ({ seal }: AuditRow): Seal | undefined => {
  try {
    const found = JSON.parse(seal ?? "null");
    const { first, kid, signature } = found ?? {};
    return Number.isInteger(first) && typeof kid === "string" && typeof signature === "string" ? found : undefined;
  } catch {
    return undefined;
  }
};

/** The entry that the room itself makes where it must build on what it cannot vouch for. */
export const UNSEALED = "audit.unsealed";

/**
 * Chains what one process appends. A day's first entry follows from the last one of the day before; a day never comes back, whatever the clock says.
 * An end that this process has not made must carry the key's signature: else it goes on behind it, and says so in an entry.
 */
export const chaining = ({ kid, key }: Signer, clock: () => number, foreign: (last: AuditRow) => void = () => {}): Chained => {
  const publicKey = createPublicKey(key);
  let own: string | undefined;
  const vouched = (last: AuditRow) => {
    if (last.chain === own) return true;
    const seal = sealOf(last);
    return seal !== undefined && seal.kid === kid && isSealed(last, last.chain, seal, publicKey);
  };
  return (last, drafts) => {
    const at = clock();
    const today = new Date(at).toISOString().slice(0, 10);
    const day = last && last.day > today ? last.day : today;
    const first = last?.day === day ? last.n + 1 : 1;
    const rows: AuditRow[] = [];
    const add = (draft: Draft) => {
      const n = first + rows.length;
      const prev = rows.at(-1)?.chain ?? last?.chain ?? "";
      const body = beginning(day, n) + JSON.stringify({ written: at, ...draft }).slice(1);
      rows.push({ day, n, body, prev, chain: linked(prev, body) });
    };
    if (last && !vouched(last)) {
      foreign(last);
      add({
        id: `unsealed ${last.day}/${last.n} ${kid}`,
        at,
        result: "noted",
        room: "audit",
        action: UNSEALED,
        resource: `audit/${last.day}~${last.n}`,
      });
    }
    for (const draft of drafts) add(draft);
    const end = rows.at(-1)!;
    own = end.chain;
    const seal: Seal = { first, kid, signature: sign(null, signed(day, first, end.n, end.chain), key).toString("base64url") };
    rows[rows.length - 1] = { ...end, seal: JSON.stringify(seal) };
    return rows;
  };
};
