import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { ServiceBroker } from "moleculer";
import { allCarried } from "../test/support/cluster.ts";
import { chain, next } from "../test/support/event-store.contract.ts";
import { until } from "../test/support/other-node.ts";
import type { Follower, Sink } from "./follower.ts";
import type { Commit, Logged } from "./storage/event-store.ts";

const DATA_DIR = mkdtempSync(join(tmpdir(), "banyan-follower-"));
process.env.DATA_DIR = DATA_DIR;
const { Follower: New } = await import("./follower.ts");
const { openCursorStore, openEventStore } = await import("./storage/open.ts");
const { carry, openLog } = await import("./bus/log.ts");
after(() => rmSync(DATA_DIR, { recursive: true }));

const { logger } = new ServiceBroker({ logger: false });
const label = ({ stream, version }: Commit) => `${stream}@${version}`;

/** Keeps what was stored, as a table would: what is not flushed, or dropped, is not there. */
class Notes implements Sink {
  /** What comes of a commit: throws, waits or nothing. */
  refuse: (commit: Logged) => void | Promise<void> = () => {};
  stored: string[] = [];
  drops = 0;
  #staged: string[] = [];

  take(commit: Logged): void | Promise<void> {
    const refused = this.refuse(commit);
    if (refused) return refused.then(() => void this.#staged.push(label(commit)));
    this.#staged.push(label(commit));
  }

  flush(): () => void {
    const staged = this.#staged;
    this.#staged = [];
    return () => void this.stored.push(...staged);
  }

  dropped() {
    this.drops++;
    this.#staged = [];
  }

  of(stream: string): string[] {
    return this.stored.filter((it) => it.startsWith(`${stream}@`));
  }
}

let rooms = 0;
const follow = (t: TestContext, { maxAttempts, mayWork = () => true }: { maxAttempts?: number; mayWork?: () => boolean } = {}) => {
  const source = `source${++rooms}`;
  const [store, log, cursors, notes] = [openEventStore(source), openLog(source), openCursorStore(`reader${rooms}`), new Notes()];
  const carrier = carry(source, store, logger);
  const follower: Follower = new New({ name: "f", source, log, cursors, sink: notes, mayWork, logger, maxAttempts });
  t.after(async () => {
    await follower.stop();
    await carrier.close();
    await Promise.all([store.close(), log.close(), cursors.close()]);
  });
  const append = async (commits: Commit[]) => void (await Promise.all(commits.map((commit) => store.append(commit))));
  const caughtUp = () =>
    until(async () => {
      if (!(await allCarried(store))) return false;
      const { position, end } = await follower.progress();
      return position === end;
    });
  const parked = async () => (await cursors.parked("f", source)).map((p) => `${p.stream}@${p.version}`);
  return { source, log, cursors, notes, follower, append, caughtUp, parked };
};

const labels = (stream: string, from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => `${stream}@${from + n}`);

test("everything is seen once and in the order of its stream, what was there before and what comes meanwhile", async (t) => {
  const { append, caughtUp, notes, follower } = follow(t);
  const written = Array.from({ length: 20 }, (_, n) => chain(`s${n}`, 100));
  await append(written.flatMap((commits) => commits.slice(0, 40)));
  follower.start();
  for (let from = 40; from < 100; from += 20) await append(written.flatMap((commits) => commits.slice(from, from + 20)));
  await caughtUp();
  assert.equal(notes.stored.length, 2_000);
  for (let n = 0; n < 20; n++) assert.deepEqual(notes.of(`s${n}`), labels(`s${n}`, 1, 100));
});

test("where taking one in means waiting, streams wait beside each other, and each for itself", async (t) => {
  const { append, caughtUp, notes, follower } = follow(t);
  const slow = Promise.withResolvers<void>();
  const begun: string[] = [];
  notes.refuse = async (commit) => {
    begun.push(label(commit));
    if (commit.stream === "slow") await slow.promise;
  };
  await append([...chain("slow", 2), ...chain("quick", 2)]);
  follower.start();
  await until(() => begun.includes("quick@2"));
  assert.deepEqual(begun.toSorted(), ["quick@1", "quick@2", "slow@1"]);
  slow.resolve();
  await caughtUp();
  assert.deepEqual(notes.of("slow"), ["slow@1", "slow@2"]);
});

test("a stream that cannot be taken in waits, all others go on; later it goes on in its order", async (t) => {
  const { append, caughtUp, notes, follower, parked } = follow(t);
  let fails = true;
  notes.refuse = ({ stream, version }) => {
    if (fails && stream === "bad" && version === 2) throw new Error("not now");
  };
  const bad = chain("bad", 5);
  await append([...bad.slice(0, 4), ...chain("good", 5)]);
  follower.start();
  await caughtUp();
  assert.deepEqual([notes.of("bad"), notes.of("good"), await parked()], [["bad@1"], labels("good", 1, 5), ["bad@2"]]);
  await append(bad.slice(4));
  await caughtUp();
  assert.deepEqual(notes.of("bad"), ["bad@1"], "nothing of it overtakes what waits");
  fails = false;
  await until(async () => (await parked()).length === 0);
  assert.deepEqual(notes.of("bad"), labels("bad", 1, 5));
});

test("what a stream does at the moment that it is let go again is not missed", async (t) => {
  let works = true;
  const { append, caughtUp, notes, follower, parked, cursors, source } = follow(t, { mayWork: () => works });
  let fails = true;
  notes.refuse = () => {
    if (fails) throw new Error("not now");
  };
  const commits = chain("s", 3);
  await append(commits.slice(0, 1));
  follower.start();
  await until(async () => (await parked()).length === 1);
  works = fails = false;
  await append(commits.slice(1));
  await until(async () => (await cursors.parked("f", source))[0]!.nextAt! < Date.now());
  works = true;
  follower.wake(0);
  await until(async () => (await parked()).length === 0);
  await caughtUp();
  assert.deepEqual(notes.stored, labels("s", 1, 3));
});

test("after so many attempts it is a dead letter, which waits for somebody: the stream goes on where he says", async (t) => {
  const { append, caughtUp, notes, follower, cursors, source, parked } = follow(t, { maxAttempts: 2 });
  const tried: string[] = [];
  let fails = true;
  notes.refuse = (commit) => {
    tried.push(label(commit));
    if (fails && commit.version === 2) throw new TypeError("cannot read it");
  };
  await append([...chain("replayed", 3), ...chain("discarded", 3)]);
  follower.start();
  const dead = await until(async () => {
    const found = await cursors.parked("f", source);
    return found.length === 2 && found.every(({ nextAt }) => nextAt === undefined) && found;
  });
  assert.deepEqual(
    dead.map(({ stream, version, attempts, type, error }) => ({ stream, version, attempts, type, error })),
    ["discarded", "replayed"].map((stream) => ({ stream, version: 2, attempts: 2, type: "Said", error: "cannot read it" })),
  );
  assert.match(dead[0]!.stack!, /TypeError: cannot read it\n/);
  assert.equal(tried.filter((it) => it === "replayed@2").length, 2);
  await caughtUp();
  fails = false;
  await cursors.resume("f", source, "replayed", 2);
  await cursors.resume("f", source, "discarded", 3);
  follower.wake(0);
  await until(async () => (await parked()).length === 0);
  assert.deepEqual(notes.of("replayed"), labels("replayed", 1, 3));
  assert.deepEqual(notes.of("discarded"), ["discarded@1", "discarded@3"]);
});

test("a long stream that was parked is taken in as a whole once it goes on", async (t) => {
  const { append, caughtUp, notes, follower, parked } = follow(t);
  let fails = true;
  notes.refuse = () => {
    if (fails) throw new Error("not now");
  };
  await append(chain("long", 1_234));
  follower.start();
  await caughtUp();
  fails = false;
  await until(async () => (await parked()).length === 0);
  assert.deepEqual(notes.stored, labels("long", 1, 1_234));
});

test("what was not stored counts for nothing: the sink forgets it, and it comes again", async (t) => {
  const { append, caughtUp, notes, follower } = follow(t);
  const put = notes.flush.bind(notes);
  let fails = true;
  notes.flush = () => {
    const write = put();
    return () => {
      if (fails) throw new Error("the disk is full");
      write();
    };
  };
  await append(chain("s", 3));
  follower.start();
  await until(() => notes.drops > 1);
  assert.deepEqual(notes.stored, []);
  fails = false;
  await caughtUp();
  assert.deepEqual(notes.stored, labels("s", 1, 3));
});

test("where another process has taken in some of it, nothing that was kept from before counts any more", async (t) => {
  let works = true;
  const { append, caughtUp, notes, follower, cursors, source } = follow(t, { mayWork: () => works });
  await append(chain("a", 3));
  follower.start();
  await caughtUp();
  works = false;
  const drops = notes.drops;
  await append(chain("b", 3));
  const from = await cursors.cursor("f", source);
  const elsewhere = openLog(source);
  t.after(() => elsewhere.close());
  const next = await until(async () => {
    const { commits, next } = await elsewhere.log(from, 10);
    return commits.some((commit) => label(commit) === "b@3") && next;
  });
  await cursors.advance("f", source, from, next, { park: [], unpark: [], reached: new Map([["b", 3]]) }, () => {});
  works = true;
  await append(chain("c", 1));
  await caughtUp();
  assert.deepEqual(notes.stored, [...labels("a", 1, 3), "c@1"]);
  assert.ok(notes.drops > drops);
});

test("who may not work does nothing, also where something has been parked and is due", async (t) => {
  let asked = 0;
  const { append, follower, cursors, source, notes } = follow(t, {
    mayWork: () => {
      asked++;
      return false;
    },
  });
  await append(chain("s", 2));
  const due = { source, stream: "s", version: 1, attempts: 1, nextAt: 1, type: "Said", error: "", at: 1 };
  await cursors.advance("f", source, "", "1", { park: [due], unpark: [] }, () => {});
  follower.start();
  await until(() => asked > 0);
  const before = asked;
  for (const start = Date.now(); Date.now() - start < 100; ) await new Promise((done) => setTimeout(done, 5));
  assert.ok(asked - before < 10, `it asked ${asked - before} times in vain`);
  assert.deepEqual(notes.stored, []);
});

test("who waits for a version is told once it has been seen, or that it has not been", async (t) => {
  const { append, follower } = follow(t, { maxAttempts: 1 });
  const [first, second] = chain("s", 2) as [Commit, Commit];
  await append([first]);
  const waiting = [follower.seen("s", 1), follower.seen("s", 2)];
  follower.start();
  await append([second]);
  await Promise.all(waiting);
  await assert.rejects(follower.seen("s", 3), { type: "VIEW_BEHIND", code: 503, message: /no such version/ });
});

test("who waits for what could not be taken in hears where to look", async (t) => {
  const { append, caughtUp, follower, notes } = follow(t, { maxAttempts: 1 });
  notes.refuse = ({ version }) => {
    if (version === 2) throw new Error("no");
  };
  await append(chain("s", 3));
  follower.start();
  await caughtUp();
  await follower.seen("s", 1);
  await assert.rejects(follower.seen("s", 3), { type: "VIEW_BEHIND", message: /Said.*deadLetters/ });
});

test("it begins where it was when it is started again", async (t) => {
  const { append, caughtUp, follower, notes, source, log, cursors } = follow(t);
  const commits = chain("s", 4);
  await append(commits.slice(0, 2));
  follower.start();
  await caughtUp();
  await follower.stop();
  await append(commits.slice(2));
  const again: Follower = new New({ name: "f", source, log, cursors, sink: notes, mayWork: () => true, logger });
  t.after(() => again.stop());
  again.start();
  await caughtUp();
  assert.deepEqual(notes.stored, labels("s", 1, 4));
  await append([next("t")]);
  await caughtUp();
  assert.deepEqual(notes.of("t"), ["t@1"]);
});
