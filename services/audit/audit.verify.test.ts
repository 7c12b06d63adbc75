import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { KINDS, numbers, type Tampered, tamper } from "../../bench/audit.tamper.ts";
import type { AuditRow, Draft } from "../../mixins/storage/audit-store.ts";
import { chaining, linked, type Signer } from "./audit.chain.ts";
import { type Finding, Verifier, type VerifyOptions } from "./audit.verify.ts";

const KIND = Object.keys(KINDS);
const signer = (kid: string): Signer => ({ kid, key: generateKeyPairSync("ed25519").privateKey });
const [ours, theirs] = [signer("ours"), signer("theirs")];
const publicKey = ({ kid, key }: Signer) => [kid, createPublicKey(key)] as const;
const keys = new Map([publicKey(ours)]);

/** A trail of several days; entries are stored one to a dozen together. */
const trailOf = (count: number, random = numbers(7)): AuditRow[] => {
  let now = Date.parse("2026-01-30T12:00:00Z");
  const chained = chaining(ours, () => now);
  const rows: AuditRow[] = [];
  while (rows.length < count) {
    now += Math.floor((random() * 2 * 5 * 86_400_000 * 6) / count);
    const drafts = Array.from(
      { length: 1 + Math.floor(random() * 12) },
      (_, i): Draft => ({ id: `e${rows.length + i}`, at: now, user: "ann", change: "bought" }),
    );
    rows.push(...chained(rows.at(-1), drafts));
  }
  return rows;
};

const verified = (rows: readonly (AuditRow | undefined)[], options: Partial<VerifyOptions> = {}): Finding[] => {
  const findings: Finding[] = [];
  const verifier = new Verifier({ keys, found: (finding) => findings.push(finding), ...options });
  for (const row of rows) if (row) verifier.take(row);
  verifier.finish();
  return findings;
};

const placesOf = (findings: readonly Finding[]) =>
  findings.flatMap(({ day, n, to, fault }) => Array.from({ length: to - n + 1 }, (_, i) => `${day}/${n + i} ${fault}`));

/** That each is named, by the right fault, and nothing else. */
const assertLocated = (tampered: readonly Tampered[], findings: readonly Finding[], about: string) => {
  const expected = tampered.flatMap(({ places, faults }) => places.map((place) => `${place} ${faults[0]}`));
  assert.deepEqual(placesOf(findings).sort(), expected.sort(), about);
};

test("a trail that nobody touched has nothing wrong with it, whichever signatures are checked", () => {
  const rows = trailOf(2_000);
  assert.ok(new Set(rows.map(({ day }) => day)).size > 3);
  for (const every of [1, 64, 1e9]) assert.deepEqual(verified(rows, { every }), []);
});

test("each of hundreds of random tamperings is named by its day, its number and what was done, and nothing else is", () => {
  const random = numbers(Number(process.env.AUDIT_SEED ?? 1));
  const whole = trailOf(600);
  const seen = new Set<string>();
  for (let i = 0; i < Number(process.env.AUDIT_TAMPERINGS ?? 400); i++) {
    const rows = [...whole];
    const tampered = tamper(rows, 1, random);
    seen.add(tampered[0]!.kind);
    assertLocated(tampered, verified(rows, { every: i % 2 === 0 ? 1 : 64 }), JSON.stringify(tampered));
  }
  assert.deepEqual([...seen].sort(), KIND.sort());
});

test("each kind is found at every entry of a trail, at the seams of days and of what was stored together as well", () => {
  const whole = trailOf(120);
  for (const kind of KIND) {
    for (let i = 0; i < whole.length - 4; i++) {
      const rows = [...whole];
      const tampered = { kind, ...KINDS[kind]!(rows, i, i + 2) };
      assertLocated([tampered], verified(rows), `${kind} at ${i}`);
    }
  }
});

test("a thousand tamperings in one trail of twenty thousand are all named at once", () => {
  const rows: (AuditRow | undefined)[] = trailOf(20_000);
  const tampered = tamper(rows, 1_000, numbers(3));
  assertLocated(tampered, verified(rows), "");
});

test("several that were taken away together are one gap; a day that was taken away is missed by the next", () => {
  const whole = trailOf(400);
  const i = whole.findIndex(({ n }, at) => n === 10 && whole[at + 20]?.n === 30);
  const gap = verified(whole.filter((_, at) => at < i || at > i + 9));
  assert.deepEqual(
    placesOf(gap),
    Array.from({ length: 10 }, (_, at) => `${whole[i]!.day}/${10 + at} missing`),
  );
  const days = [...new Set(whole.map(({ day }) => day))];
  const [finding, ...more] = verified(whole.filter(({ day }) => day !== days[2]));
  const end = whole.filter(({ day }) => day === days[1]).at(-1)!;
  assert.deepEqual([finding!.day, finding!.n, finding!.fault, more], [days[1], end.n + 1, "missing", []]);
  const headless = verified(whole.filter(({ day }) => day !== days[0]));
  assert.deepEqual([headless[0]!.day, headless[0]!.n, headless[0]!.fault], [days[1], 1, "missing"]);
});

test("an entry that was put in between is named, though all that is behind it was given other numbers", () => {
  const rows = trailOf(200);
  const [before, next] = [rows[50]!, rows[51]!];
  assert.equal(before.day, next.day);
  const body = next.body.replace("ann", "eve");
  const put = { day: next.day, n: next.n, body, prev: before.chain, chain: linked(before.chain, body) };
  const shifted = rows.slice(51).map((row) => (row.day === next.day ? { ...row, n: row.n + 1 } : row));
  const [first] = verified([...rows.slice(0, 51), put, ...shifted]);
  assert.deepEqual([first!.day, first!.n, first!.fault], [next.day, next.n, "inserted"]);
});

test("who adds an entry at the end, and has no key, is found: at once, and after the room has gone on behind it", () => {
  const rows = trailOf(100);
  const end = rows.at(-1)!;
  const body = end.body.replace(`"n":${end.n},`, `"n":${end.n + 1},`).replace("ann", "eve");
  const forged: AuditRow = { day: end.day, n: end.n + 1, body, prev: end.chain, chain: linked(end.chain, body) };
  const place = `${forged.day}/${forged.n}`;
  assert.deepEqual(placesOf(verified([...rows, forged])), [`${place} unsigned`]);
  const sealed = { ...forged, seal: chaining({ ...theirs, kid: "ours" }, () => 0)(end, [{ id: "x" }]).at(-1)!.seal };
  assert.ok(placesOf(verified([...rows, sealed])).includes(`${place} forged`));
  for (const bad of [forged, sealed]) {
    let warned = 0;
    const onward = chaining(
      ours,
      () => Date.parse("2026-03-01"),
      () => warned++,
    )(bad, [{ id: "next" }]);
    assert.equal(warned, 1);
    const findings = placesOf(verified([...rows, bad, ...onward], { every: 1e9 }));
    assert.ok(
      findings.some((finding) => finding.startsWith(place)),
      String(findings),
    );
  }
});

test("a chain that was made anew from an entry on, without the key, is found at what was signed together with that entry", () => {
  const rows = trailOf(500);
  for (const i of [3, 100, 250]) {
    const made = rows.slice(0, i);
    for (const row of rows.slice(i)) {
      const prev = made.at(-1)!.chain;
      const body = made.length === i ? row.body.replace("ann", "eve") : row.body;
      made.push({ ...row, body, prev, chain: linked(prev, body) });
    }
    const [first] = verified(made);
    const { day, n } = rows[i]!;
    assert.equal(first!.fault, "forged");
    assert.ok(first!.day === day && first!.n <= n && n <= first!.to && first!.to - first!.n < 12, JSON.stringify(first));
  }
});

test("a signature that is gone, or is another one, is named with what it covers", () => {
  const whole = trailOf(100);
  const i = whole.findIndex(({ seal }, at) => seal && at > 40);
  const { day, n, seal } = whole[i]!;
  const { seal: _, ...bare } = whole[i]!;
  for (const row of [bare, { ...bare, seal: "{}" }, { ...bare, seal: seal!.replace(/"signature":".../, '"signature":"AAA') }]) {
    const findings = verified(whole.with(i, row as AuditRow), { every: 1 });
    assert.equal(findings.length, 1);
    assert.ok(findings[0]!.day === day && findings[0]!.n <= n && n <= findings[0]!.to, JSON.stringify(findings));
  }
});

test("the end that was cut off is missed by whoever wrote down a root before, and by nobody else", () => {
  const rows = trailOf(300);
  const { day, n, chain } = rows.at(-1)!;
  const cut = rows.slice(0, rows.findLastIndex(({ seal }, i) => seal && i < 280) + 1);
  assert.deepEqual(verified(cut), []);
  assert.deepEqual(placesOf(verified(cut, { anchors: new Map([[`${day}/${n}`, chain]]) })), [`${day}/${n} missing`]);
  assert.deepEqual(verified(rows, { anchors: new Map([[`${day}/${n}`, chain]]) }), []);
  assert.equal(verified(rows, { anchors: new Map([[`${day}/${n}`, "another"]]) })[0]!.fault, "forged");
});

test("after the master key has changed the trail goes on, and takes both keys to be verified", () => {
  const rows = trailOf(50);
  const onward = chaining(theirs, () => Date.parse("2026-03-01"))(rows.at(-1), [{ id: "next" }]);
  const both = new Map([publicKey(ours), publicKey(theirs)]);
  assert.deepEqual(verified([...rows, ...onward], { keys: both }), []);
  assert.notDeepEqual(verified([...rows, ...onward]), []);
});

test("whatever the clock says, days and numbers only grow", () => {
  let now = Date.parse("2026-05-05");
  const chained = chaining(ours, () => now);
  const first = chained(undefined, [{ id: "a" }]);
  now -= 3 * 86_400_000;
  const second = chained(first[0], [{ id: "b" }]);
  assert.deepEqual([second[0]!.day, second[0]!.n], ["2026-05-05", 2]);
  assert.deepEqual(verified([...first, ...second]), []);
});
