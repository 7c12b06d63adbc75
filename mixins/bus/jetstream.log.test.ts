import assert from "node:assert/strict";
import { randomUUIDv7 } from "node:crypto";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { ServiceBroker } from "moleculer";
import { connect } from "nats";
import { useServers, without } from "../../test/support/cluster.ts";
import { chain, newStream } from "../../test/support/event-store.contract.ts";
import { logContract, reader } from "../../test/support/log.contract.ts";
import { until } from "../../test/support/other-node.ts";
import { folder } from "../../test/support/system.ts";
import type { Commit } from "../storage/event-store.ts";
import type { Outbox } from "../storage/outbox.ts";

describe("events over JetStream", { skip: without("nats", "mongo") }, async () => {
  const { nats } = await useServers("nats", "mongo");
  const { openEventStore } = await import("../storage/open.ts");
  const { carry, openLog } = await import("./log.ts");
  const { streamOf, subjectOf } = await import("./jetstream.host.ts");
  const { encode } = await import("./message.ts");
  const { logger } = new ServiceBroker({ logger: false });

  const nc = await connect({ servers: process.env.TRANSPORTER!, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  const manager = await nc.jetstreamManager();
  after(() => nc.close());

  let made = 0;
  /** A room of the test's own: its record, carried, and a log of it. */
  const start = (t: { after(done: () => Promise<void>): void }, { carried = true } = {}) => {
    const room = `room${++made}`;
    const store = openEventStore(room);
    const log = openLog(room);
    let carrier = carried ? carry(room, store, logger) : undefined;
    t.after(async () => {
      await carrier?.close();
      await Promise.all([log.close(), store.close()]);
    });
    const begin = () => {
      carrier = carry(room, store, logger);
    };
    const append = async (commits: Commit[]) => void (await Promise.all(commits.map((commit) => store.append(commit))));
    return { room, store, log, append, begin, one: reader(log) };
  };
  type Room = ReturnType<typeof start>;
  const untilRead = (one: Room["one"], stream: string, version: number) =>
    until(async () => {
      const place = await one.read().catch(() => ""); // the bus may be away: a follower tries again, too
      return one.of(stream).at(-1) === version && place;
    });

  describe("the log", () => {
    logContract(async () => {
      const store = openEventStore("contract");
      const carrier = carry("contract", store, logger);
      const close = async () => {
        await carrier.close();
        await store.close();
      };
      return { store, open: () => openLog("contract"), close };
    });
  });

  test("what a node committed and did not publish before it died is published by another", async (t) => {
    const { append, begin, one } = start(t, { carried: false });
    const stream = newStream();
    await append(chain(stream, 2, () => ({ at: Date.now() - 10_000 })));
    await one.read();
    await one.read();
    const place = await one.read();
    assert.match(place, /^stream /, "it has gone through the record");
    const other = newStream();
    await append(chain(other, 3, () => ({ at: Date.now() - 10_000 }))); // behind the record, and nobody tells
    begin();
    await untilRead(one, other, 3);
    assert.deepEqual(
      [one.of(stream), one.of(other)],
      [
        [1, 2],
        [1, 2, 3],
      ],
    );
  });

  test("what is sent twice, out of order, or by name only arrives once, in order and whole", async (t) => {
    const { room, store, append, begin, one } = start(t, { carried: false });
    begin();
    const [first] = chain(newStream(), 1) as [Commit];
    await append([first]);
    await untilRead(one, first.stream, 1);
    const stream = newStream();
    const commits = chain(stream, 4, (n) => ({ events: [{ type: "Said", n } as never] }));
    const js = nc.jetstream();
    const unseen = openEventStore(`${room}`);
    t.after(() => unseen.close());
    await Promise.all(commits.map((commit) => store.append(commit)));
    for (const n of [2, 0, 2, 3, 1, 0]) {
      await js.publish(subjectOf(room, stream), encode({ ...commits[n]!, position: 0, ...(n === 3 && { events: [] }) }), {
        msgID: randomUUIDv7(),
      });
    }
    await untilRead(one, stream, 4);
    assert.deepEqual(
      one.got.filter((commit) => commit.stream === stream).map(({ events }) => (events[0] as never as { n: number }).n),
      [0, 1, 2, 3],
    );
  });

  test("who has been away for longer than the stream keeps goes through the record, and on from there", async (t) => {
    const { room, append, one } = start(t);
    const stream = newStream();
    const commits = chain(stream, 12);
    await append(commits.slice(0, 3));
    const place = await untilRead(one, stream, 3);
    await append(commits.slice(3, 9));
    await until(async () => (await manager.streams.info(streamOf(room))).state.last_seq >= 9);
    await manager.streams.purge(streamOf(room));
    const late = reader(openLogOf(t, room));
    late.goOn(place);
    await untilRead(late, stream, 9);
    await append(commits.slice(9));
    await untilRead(late, stream, 12);
    assert.deepEqual(late.of(stream).slice(-9), [4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });

  test("a stream that was lost is made anew, and nothing that was committed is missed", async (t) => {
    const { room, append, one } = start(t);
    const stream = newStream();
    const commits = chain(stream, 9);
    await append(commits.slice(0, 3));
    await untilRead(one, stream, 3);
    await manager.streams.delete(streamOf(room));
    await append(commits.slice(3, 6));
    await untilRead(one, stream, 6);
    await append(commits.slice(6));
    await untilRead(one, stream, 9);
    assert.deepEqual(one.of(stream), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test("who follows a room makes no stream for it: without one there is the record, and what comes later arrives once the room is there", async (t) => {
    const { room, log, append, begin, one } = start(t, { carried: false });
    const [before, after] = [newStream(), newStream()];
    await append(chain(before, 2));
    await untilRead(one, before, 2);
    const told = Promise.withResolvers<void>();
    t.after(log.listen(told.resolve));
    await until(async () => (await one.read()).startsWith("stream "));
    const { position, end } = await log.progress(await one.read());
    assert.ok(position >= end, "it has seen all that there is");
    await told.promise; // to look again
    await assert.rejects(manager.streams.info(streamOf(room)), /stream not found/);
    await append(chain(after, 2));
    begin();
    await untilRead(one, after, 2);
    assert.deepEqual([one.of(before), one.of(after)], [upTo(2), upTo(2)]);
  });

  test("a stream that was deleted is made again by the room's own node, though nothing is committed", async (t) => {
    const { room } = start(t);
    const created = () =>
      manager.streams.info(streamOf(room)).then(
        ({ created }) => created,
        () => undefined,
      );
    const first = await until(created);
    await manager.streams.delete(streamOf(room));
    await until(async () => ![undefined, first].includes(await created()));
  });

  test("who knows another message in his place than the stream has goes through the record", async (t) => {
    const { room, append, one } = start(t);
    const stream = newStream();
    await append(chain(stream, 3));
    const place = await untilRead(one, stream, 3);
    const [, epoch, seq] = place.split(" ");
    const other = reader(openLogOf(t, room));
    other.goOn(`stream ${epoch} ${seq} ${randomUUIDv7()}`);
    await untilRead(other, stream, 3);
    assert.deepEqual(other.of(stream), [1, 2, 3]);
  });

  test("while NATS is away commits go on; when it is back they arrive, in order", {
    skip: !nats && "the server is not ours to stop",
  }, async (t) => {
    const { append, one } = start(t);
    const stream = newStream();
    const commits = chain(stream, 9, () => ({ at: Date.now() - 10_000 }));
    await append(commits.slice(0, 3));
    await untilRead(one, stream, 3);
    await nats!.end("SIGKILL");
    await append(commits.slice(3, 6));
    await assert.rejects(
      until(async () => void (await one.read())),
      { type: "BUS_UNAVAILABLE", code: 503 },
    );
    await nats!.again();
    await append(commits.slice(6));
    await untilRead(one, stream, 9);
    assert.deepEqual(one.of(stream), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test("commits that share a mark are on the bus all together before it goes, however many wait", async (t) => {
    const marked: string[][] = [];
    const outbox: Outbox = {
      unpublished: async () => [],
      published: async (commits) => void marked.push(commits.map(({ stream }) => stream)),
    };
    const carrier = carry(`room${++made}`, outbox, logger);
    t.after(() => carrier.close());
    const ones = Array.from({ length: 498 }, () => chain(newStream(), 1)).flat();
    const document = chain(newStream(), 4); // across the border of the first 500
    outbox.onCommitted!([...ones, ...document].map((commit) => ({ ...commit, position: 0 })));
    await until(() => marked.flat().length === 502);
    assert.deepEqual(marked.map((streams) => streams.filter((stream) => stream === document[0]!.stream).length).filter(Boolean), [4]);
  });

  test("a message that the stream has lost is missed, and the record has what was in it", async (t) => {
    const { room, append, one } = start(t);
    const [first, lost, last] = [newStream(), newStream(), newStream()];
    await append(chain(first, 1));
    const place = await untilRead(one, first, 1);
    for (const stream of [lost, last]) {
      await append(chain(stream, 1));
      await untilRead(one, stream, 1);
    }
    const { state } = await manager.streams.info(streamOf(room));
    await manager.streams.deleteMessage(streamOf(room), state.last_seq - 1);
    const late = reader(openLogOf(t, room));
    late.goOn(place);
    await untilRead(late, last, 1);
    await untilRead(late, lost, 1);
  });

  test("what is no commit is passed over, and what comes behind it arrives", async (t) => {
    const { room, append, one } = start(t);
    const stream = newStream();
    const commits = chain(stream, 2);
    await append([commits[0]!]);
    await untilRead(one, stream, 1);
    for (const text of ["no JSON", "null", "{}", '{"stream":"s","version":1}']) await nc.jetstream().publish(subjectOf(room, stream), text);
    await append([commits[1]!]);
    await untilRead(one, stream, 2);
  });

  test("when NATS has lost the end of a stream, who had not come so far is not left without what stood there", {
    skip: !nats && "the server is not ours to stop",
  }, async (t) => {
    const { room, append, one } = start(t);
    const [first, lost, next] = [newStream(), newStream(), newStream()];
    await append(chain(first, 1));
    const place = await untilRead(one, first, 1);
    const before = join(folder(t), "before");
    await nats!.end();
    cpSync(nats!.folder, before, { recursive: true });
    await nats!.again();
    await append(chain(lost, 1, () => ({ at: Date.now() - 10_000 })));
    await untilRead(one, lost, 1);
    await nats!.end("SIGKILL");
    rmSync(nats!.folder, { recursive: true });
    cpSync(before, nats!.folder, { recursive: true });
    await nats!.again();
    const late = reader(openLogOf(t, room));
    late.goOn(place);
    await append(chain(next, 1, () => ({ at: Date.now() - 10_000 })));
    await untilRead(late, next, 1);
    await untilRead(late, lost, 1);
  });

  const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

  const openLogOf = (t: { after(done: () => Promise<void>): void }, room: string) => {
    const log = openLog(room);
    t.after(() => log.close());
    return log;
  };
});
