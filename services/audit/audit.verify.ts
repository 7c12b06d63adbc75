import type { KeyObject } from "node:crypto";
import type { AuditRow } from "../../mixins/storage/audit-store.ts";
import { beginning, isSealed, linked, type Seal, sealOf, UNSEALED } from "./audit.chain.ts";

export type Fault = "changed" | "replaced" | "missing" | "inserted" | "moved" | "unsigned" | "forged" | "misfiled";

/** What is wrong, and where: with the entries from `n` to `to` of a day. */
export interface Finding {
  readonly day: string;
  readonly n: number;
  readonly to: number;
  readonly fault: Fault;
  readonly says: string;
}

export interface VerifyOptions {
  /** Public keys by their kid: those of an older master key as well. */
  readonly keys: ReadonlyMap<string, KeyObject>;
  /** What stands before the first row, where the trail is not read from its beginning. */
  readonly before?: AuditRow;
  /** Whether nobody knows what stands before the first row. */
  readonly partial?: boolean;
  /** What somebody wrote down earlier: the chain's value at a place (`2026-11-27/17`). */
  readonly anchors?: ReadonlyMap<string, string>;
  /** A signature covers all that is before it, so one in so many entries is checked, and those between where it is not right. 1: each. */
  readonly every?: number;
  readonly found: (finding: Finding) => void;
}

interface Sealed {
  readonly row: AuditRow;
  readonly seal: Seal;
  readonly chains: readonly string[];
}

const MOVED = /^\{"day":"(\d{4}-\d\d-\d\d)","n":(\d{1,15}),/;

/**
 * Reads a trail in order and names each entry that is not as it was written. It keeps what it needs of the entry before and of the
 * signatures that are still to be checked, and goes on behind whatever is wrong: an entry knows the chain's value before and at itself, so
 * what follows a bad one tells whether it is what it was.
 */
export class Verifier {
  readonly #o: VerifyOptions;
  #last?: AuditRow;
  /** What may stand as `prev` in the next one: the last one's chain as stored, and as computed. */
  #ends: readonly string[];
  /** The same of the one before the last. */
  #earlier: readonly string[] = [];
  /** Whether something was said of the last one, or of what is missing behind it. */
  #told = false;
  /** The first entry that no signature covers yet. */
  #open?: AuditRow;
  /** Whether something was wrong since then. */
  #disturbed = false;
  #skipped: Sealed[] = [];
  #since = 0;
  #seal?: Seal;
  readonly #anchors: Map<string, string>;
  entries = 0;
  signatures = 0;
  findings = 0;
  end?: AuditRow;

  constructor(options: VerifyOptions) {
    this.#o = options;
    this.#anchors = new Map(options.anchors);
    this.#last = options.before;
    this.#ends = [options.before?.chain ?? ""];
  }

  take(row: AuditRow): void {
    this.entries++;
    if (row.misfiled !== undefined) this.#find(row, "misfiled", row.misfiled);
    const last = this.#last;
    if (last && row.day === last.day && row.n <= last.n) {
      this.#find(row, "inserted", "its number is another entry's");
      return;
    }
    const gap = this.#gapBefore(row);
    const { prev, body, chain } = row;
    const actual = linked(prev, body);
    const follows = this.#ends.includes(prev);
    const wrong = this.#wrongWith(row, actual === chain, follows);
    const shifted = wrong?.[0] === "moved" && last && !gap && !this.#told && !follows && this.#earlier.includes(prev);
    if (shifted) this.#find(last, "inserted", "what is behind it follows from the one before it");
    if (wrong) this.#find(row, ...wrong);
    else if (!follows && !gap && !this.#told) this.#tellBefore(row);
    else if (body.includes(UNSEALED)) this.#checkUnsealed(body);
    if (wrong || gap || !follows) {
      this.#disturbed = true;
      this.#checkSkipped(); // what is behind it vouches for nothing before it
    } else if (this.#since >= (this.#o.every ?? 64)) this.#checkSkipped();
    this.#earlier = this.#ends;
    this.#ends = actual === chain ? [chain] : [chain, actual];
    this.#told = wrong !== undefined;
    this.#last = row;
    this.#checkAnchor(row);
    this.#cover(row, last, wrong?.[0] === "moved");
  }

  #wrongWith({ day, n, body }: AuditRow, whole: boolean, follows: boolean): [Fault, string] | undefined {
    if (!body.startsWith(beginning(day, n))) {
      const [, from, number] = MOVED.exec(body) ?? [];
      return from ? ["moved", `it was written as ${from}/${number}`] : ["changed", "it does not say its own day and number"];
    }
    if (whole) return undefined;
    return [
      "changed",
      follows ? "it is not what its hash was made of" : "it, or what it says of the one before, is not what its hash was made of",
    ];
  }

  /** The entry is what it was, and does not follow from what is before it. */
  #tellBefore(row: AuditRow) {
    const last = this.#last;
    if (!last) {
      if (!this.#o.partial) this.#find(row, "missing", "there were entries before it");
      return;
    }
    const sealed = this.#skipped.at(-1);
    const isEnd = last.day !== row.day && (last.seal === undefined || (sealed?.row === last && this.#fits(sealed))); // a day ends with a signature
    if (isEnd)
      return this.#tell({
        day: last.day,
        n: last.n + 1,
        to: last.n + 1,
        fault: "missing",
        says: "its day went on, or a day is missing behind it",
      });
    if (sealed?.row === last) this.#skipped.pop();
    if (this.#earlier.includes(row.prev)) return this.#find(last, "inserted", "what is behind it follows from the one before it");
    const first = this.#open?.n ?? this.#seal?.first ?? last.n;
    const others = first < last.n ? `, and nothing vouches for those from ${last.day}/${first} to it` : "";
    this.#find(last, "replaced", `what is behind it does not follow from it${others}`);
  }

  /** Says what only the end tells. */
  finish(): void {
    this.#checkSkipped();
    const { day, n } = this.#open ?? {};
    const says = "no signature covers what the trail ends with: it was added, or what was behind it taken away";
    if (day && this.#last && !this.#disturbed) this.#tell({ day, n: n!, to: Math.max(n!, this.#last.n), fault: "unsigned", says });
    for (const place of this.#anchors.keys()) {
      const [day, n] = [place.slice(0, 10), Number(place.slice(11))];
      if (this.#last && (day < this.#last.day || (day === this.#last.day && n <= this.#last.n))) continue; // a gap, which was told
      this.#tell({ day, n, to: n, fault: "missing", says: "it was there when the root was written down, and so were those before it" });
    }
    this.end = this.#last;
  }

  #gapBefore(row: AuditRow): boolean {
    const last = this.#last;
    const expected = last?.day === row.day ? last.n + 1 : 1;
    if (row.n === expected || (!last && this.#o.partial)) return false;
    this.#tell({ day: row.day, n: expected, to: row.n - 1, fault: "missing", says: "the numbers have a gap" });
    return true;
  }

  /** Entries that are stored together end with a signature that says with which it begins; none belongs to no such bundle. */
  #cover(row: AuditRow, last: AuditRow | undefined, moved: boolean) {
    if (this.#open && last && this.#open.day !== row.day) {
      if (!this.#disturbed) this.#tellUnsigned(this.#open, last.n); // a day ends with a signature
      this.#open = undefined;
    }
    this.#open ??= row;
    this.#since++;
    this.#seal = undefined;
    if (row.seal === undefined) return;
    const [open, seal] = [this.#open, sealOf(row)];
    if (!seal) this.#find(row, "forged", "its signature is none");
    else if (!this.#disturbed && open.n < seal.first) this.#tellUnsigned(open, seal.first - 1);
    this.#open = undefined;
    this.#disturbed = false;
    if (!seal || moved) return;
    this.#seal = seal;
    this.#skipped.push({ row, seal, chains: this.#ends });
  }

  #tellUnsigned({ day, n }: AuditRow, to: number) {
    this.#tell({ day, n, to, fault: "unsigned", says: "no signature covers it" });
  }

  /** Looks at the last signature; where it does not fit, at those before it as well, for the first that does not. */
  #checkSkipped() {
    const last = this.#skipped.at(-1);
    if (!last) return;
    this.#since = 0;
    if (!this.#fits(last)) for (const sealed of this.#skipped) this.#fits(sealed, true);
    this.#skipped = [];
  }

  #fits({ row, seal, chains }: Sealed, tell = false): boolean {
    this.signatures++;
    const key = this.#o.keys.get(seal.kid);
    if (key && chains.some((chain) => isSealed(row, chain, seal, key))) return true;
    const says = key ? "these are not the entries that were signed" : `nobody knows the key ${seal.kid} that signed it`;
    if (tell) this.#tell({ day: row.day, n: Math.min(seal.first, row.n), to: row.n, fault: "forged", says });
    return false;
  }

  /** The room found an end that it could not vouch for. That is right where another key of ours did. */
  #checkUnsealed(body: string) {
    const { action } = JSON.parse(body) as { action?: string };
    const last = this.#last;
    if (action !== UNSEALED || !last || this.#told) return;
    const sealed = this.#seal && { row: last, seal: this.#seal, chains: this.#ends };
    if (!sealed || !this.#fits(sealed)) this.#find(last, "inserted", "the room found it at the end, and no signature with it");
  }

  #checkAnchor({ day, n, chain }: AuditRow) {
    const place = `${day}/${n}`;
    const known = this.#anchors.get(place);
    if (known === undefined) return;
    this.#anchors.delete(place);
    if (known !== chain)
      this.#tell({ day, n: 1, to: n, fault: "forged", says: "the chain came to another value here when the root was written down" });
  }

  #find({ day, n }: AuditRow, fault: Fault, says: string) {
    this.#tell({ day, n, to: n, fault, says });
  }

  #tell(finding: Finding) {
    this.findings++;
    this.#o.found(finding);
  }
}
