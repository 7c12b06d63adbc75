import { effectsIn, named } from "./check.effects.ts";
import { sightsOf } from "./check.reads.ts";
import type { Attempt, Journal } from "./journal.ts";
import { type Call, linearizable, type Spec } from "./linearizable.ts";
import { LEDGERS } from "./ops.ts";
import type { Inspected } from "./record.ts";
import { callOf, ledgerSpec } from "./spec.ledger.ts";
import { type Versioned, versionsSpec } from "./spec.versions.ts";

type Answers = Pick<Journal, "attempts">;

/** The history of every actor, reads among it, is one that it could have had if it had done one thing after another. */
export const checkHistories = (journal: Answers, record: Inspected): string[] => [
  ...checkLedgers(journal),
  ...checkVersions(journal, record),
];

/** Of stocks that only clients move, by what clients were told alone: nobody's record is asked. */
const checkLedgers = ({ attempts }: Answers): string[] => {
  const own = new Set<string | undefined>(LEDGERS.map((product) => `main~${product}`));
  const histories = Map.groupBy(
    attempts.filter(({ op }) => own.has(op.stock)),
    ({ op }) => op.stock!,
  );
  return Array.from(histories).flatMap(([stock, seen]) => {
    const calls = [...Map.groupBy(seen, ({ op }) => op).values()].flatMap(asCalls);
    return judge(stock, ledgerSpec, calls);
  });
};

/**
 * What came of one wish. Its attempts carry the same id, so it happens once: what was in doubt until an attempt was done happened by
 * then, and of several that are in doubt for good the first stands for all.
 */
const asCalls = (attempts: readonly Attempt[]) => {
  const calls = attempts.flatMap((attempt) => {
    const call = callOf(attempt);
    return call ? [{ ...call, attempt }] : [];
  });
  const inDoubt = calls.filter(({ output }) => output === undefined);
  if (inDoubt.length === 0) return calls;
  const first = inDoubt.reduce((a, b) => (a.began <= b.began ? a : b));
  const answered = calls.filter(({ output }) => output !== undefined);
  const done = answered.findIndex(({ output }) => output === "done");
  if (done < 0) return [...answered, first];
  return answered.with(done, { ...answered[done]!, began: Math.min(first.began, answered[done]!.began) });
};

/**
 * Of all actors, by the record's order: a commit that a client asked for has its place between his asking and the first answer that
 * says that it is done, one that nobody asked for where it likes; and what anybody was shown of a version was shown while it was the last.
 */
const checkVersions = ({ attempts }: Answers, record: Inspected): string[] => {
  const effects = new Map(effectsIn(record).map(({ effect, stream, version }) => [effect, { stream, version }]));
  const asked = new Map<string, Attempt[]>();
  for (const [op, all] of Map.groupBy(attempts, ({ op }) => op)) {
    const made = op.effect === undefined ? undefined : effects.get(op.effect);
    if (made) asked.set(`${made.stream}@${made.version}`, all);
  }
  const sights = Map.groupBy(
    sightsOf({ attempts }, record).filter(({ listed }) => !listed),
    ({ of }) => of,
  );
  const streams = Map.groupBy([...record.deals, ...record.stock], ({ stream }) => stream);
  return Array.from(streams).flatMap(([stream, commits]) => {
    const made = commits.map(({ version }) => commitOf(version, asked.get(`${stream}@${version}`)));
    const shown = (sights.get(stream) ?? []).map(({ attempt, version }) => {
      const { began, ended } = attempt;
      return { input: { sees: version } as Versioned, output: true as const, began, ended, attempt };
    });
    return judge(stream, versionsSpec, [...made, ...shown]);
  });
};

const commitOf = (version: number, attempts?: readonly Attempt[]): Call<Versioned, true> & { attempt?: Attempt } => {
  const input = { commit: version };
  if (!attempts) return { input, began: Number.NEGATIVE_INFINITY, ended: Number.POSITIVE_INFINITY };
  const done = attempts.filter(({ outcome }) => outcome === "done");
  const [began, ended] = [Math.min(...attempts.map(({ began }) => began)), Math.min(...done.map(({ ended }) => ended))];
  return { input, began, ended, attempt: attempts[0], ...(done.length > 0 && { output: true }) };
};

const judge = <S, I, O>(of: string, spec: Spec<S, I, O>, calls: readonly (Call<I, O> & { attempt?: Attempt })[]): string[] => {
  const verdict = linearizable(spec, calls);
  if (verdict.ok) return [];
  if (verdict.ok === undefined) return [`${of}: whether its history is linearizable was not found out in ${verdict.steps} steps`];
  const { attempt, input, output } = verdict.stuck as Call<I, O> & { attempt?: Attempt };
  const what = `${JSON.stringify(input)}, answered with ${JSON.stringify(output)}`;
  const when = attempt
    ? `${named(attempt.op)} of ${attempt.node} to client ${attempt.client}, ${Math.round(attempt.began)}-${Math.round(attempt.ended)} ms`
    : "";
  return [`${of} is NOT LINEARIZABLE: nothing that ${verdict.behind} of ${calls.length} calls leave can do ${what} (${when})`];
};
