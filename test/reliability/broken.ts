/** Ways in which a driver could be wrong; the harness must find each. */
export type Break = "early-ack" | "double-count" | "stale-read" | "forgetful";

export const breakDriver = async (how: Break): Promise<void> => {
  if (how === "double-count") {
    const { contributions } = await import("../../services/analytics/analytics.views.ts");
    const { DealConfirmed } = contributions.on;
    // adds to what is there, so that a repeat, or a rebuild, counts what the first time has counted
    Object.assign(contributions.on, {
      DealConfirmed: (deal: never, ...rest: Parameters<NonNullable<typeof DealConfirmed>> extends [unknown, ...infer R] ? R : never) => {
        const made = DealConfirmed!(deal, ...rest)!;
        const { sold } = made;
        return sold && { ...made, sold: { ...sold, shares: [...sold.shares, ...sold.shares] } };
      },
    });
    return;
  }
  const { SqliteEventStore } = await import("../../mixins/storage/sqlite.event-store.ts");
  const { append, read } = SqliteEventStore.prototype;
  if (how === "early-ack") {
    // says that it has what it is about to write
    SqliteEventStore.prototype.append = async function (...commit) {
      setTimeout(() => void append.apply(this, commit).catch(() => {}), 40);
    };
  }
  if (how === "forgetful") {
    // has every commit, and no longer under which key it came
    SqliteEventStore.prototype.recall = async () => undefined;
    SqliteEventStore.prototype.read = async function (...which) {
      const commits = await read.apply(this, which);
      return commits.map(({ once, ...commit }) => commit) as never;
    };
  }
  if (how === "stale-read") {
    // answers from what it has in memory: what others stored since is not looked for
    SqliteEventStore.prototype.read = async function (stream, version = 0, limit = -1) {
      return version > 0 ? [] : (read.call(this, stream, version, limit) as never);
    };
  }
};
