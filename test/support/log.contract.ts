import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Log } from "../../mixins/bus/log.ts";
import { ordered } from "../../mixins/follower.order.ts";
import type { Commit, EventStore } from "../../mixins/storage/event-store.ts";
import { chain, newStream } from "./event-store.contract.ts";
import { until } from "./other-node.ts";

export interface Carried {
  readonly store: EventStore;
  open(): Log;
  close(): Promise<void>;
}

/** What whoever follows a room has got so far, put right as a follower does. */
export const reader = (log: Log) => {
  let place = "";
  const reached = new Map<string, number>();
  const got: Commit[] = [];
  return {
    got,
    /** Reads what there is, and says where it stands now. */
    async read(limit = 100): Promise<string> {
      const { commits, next } = await log.log(place, limit);
      const fresh = await ordered(commits, reached, (stream, version) => log.read(stream, version, 500));
      for (const [stream, version] of fresh.reached!) reached.set(stream, version);
      got.push(...fresh.commits);
      place = next;
      return place;
    },
    of: (stream: string) => got.filter((commit) => commit.stream === stream).map(({ version }) => version),
    goOn(at: string) {
      place = at;
    },
  };
};

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

/** What every driver of the log must do, for whoever puts right what comes (`follower.order.ts`). */
export const logContract = (start: () => Promise<Carried>): void => {
  let carried: Promise<Carried> | undefined;
  const logs: Log[] = [];
  const open = async () => {
    carried ??= start();
    const { store, open } = await carried;
    const log = open();
    logs.push(log);
    return { store, log };
  };
  after(async () => {
    await Promise.all(logs.map((log) => log.close()));
    await (await carried)?.close();
  });

  test("who begins meets everything that was there before, and what comes meanwhile, each stream in its order", async () => {
    const { store, log } = await open();
    const streams = Array.from({ length: 5 }, newStream);
    const written = streams.map((stream) => chain(stream, 30));
    const append = (from: number, to: number) =>
      Promise.all(written.flatMap((commits) => commits.slice(from, to).map((commit) => store.append(commit))));
    await append(0, 10);
    const one = reader(log);
    await one.read(7);
    await append(10, 20);
    await one.read(7);
    await append(20, 30);
    await until(async () => {
      await one.read(7);
      return streams.every((stream) => one.of(stream).length === 30);
    });
    for (const stream of streams) assert.deepEqual(one.of(stream), upTo(30));
  });

  test("who goes on from where he was misses nothing, and what he had does not come again", async () => {
    const { store, log } = await open();
    const stream = newStream();
    const commits = chain(stream, 20);
    for (const commit of commits.slice(0, 10)) await store.append(commit);
    const one = reader(log);
    const place = await until(async () => {
      const at = await one.read();
      return one.of(stream).length === 10 && at;
    });
    for (const commit of commits.slice(10)) await store.append(commit);
    const { log: later } = await open();
    const other = reader(later);
    other.goOn(place);
    await until(async () => {
      await other.read();
      return other.of(stream).at(-1) === 20;
    });
    assert.deepEqual(
      other.of(stream).filter((version) => version > 10),
      upTo(20).slice(10),
    );
  });

  test("two who follow go each at his own pace", async () => {
    const [{ store, log: fast }, { log: slow }] = [await open(), await open()];
    const stream = newStream();
    const [one, other] = [reader(fast), reader(slow)];
    for (const commit of chain(stream, 40)) await store.append(commit);
    for (const each of [one, other]) {
      await until(async () => {
        await each.read(each === one ? 1_000 : 3);
        return each.of(stream).length === 40;
      });
    }
    assert.deepEqual(one.of(stream), other.of(stream));
  });

  test("a commit as large as a room takes one arrives whole", async () => {
    const { store, log } = await open();
    const stream = newStream();
    const text = "é".repeat(700_000);
    for (const commit of chain(stream, 2, () => ({ events: [{ type: "Said", text } as never] }))) await store.append(commit);
    const one = reader(log);
    await until(async () => {
      await one.read();
      return one.of(stream).length === 2;
    });
    for (const { events } of one.got.filter((commit) => commit.stream === stream))
      assert.equal((events[0] as never as { text: string }).text, text);
  });

  test("whoever listens hears that something has come, and a place is counted towards the end", async () => {
    const { store, log } = await open();
    const one = reader(log);
    let place = await one.read();
    for (let before = ""; before !== place; ) [before, place] = [place, await one.read()];
    const heard = Promise.withResolvers<void>();
    const silence = log.listen(heard.resolve);
    const [commit] = chain(newStream(), 1) as [Commit];
    await store.append(commit);
    await heard.promise;
    silence();
    await until(async () => {
      const at = await one.read();
      const { position, end } = await log.progress(at);
      return one.got.some(({ id }) => id === commit.id) && position === end;
    });
  });
};
