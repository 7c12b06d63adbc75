import { setTimeout as delay } from "node:timers/promises";
import { Connection } from "./connection.ts";
import { Histogram } from "./histogram.ts";
import type { Outcome, Plan, Reply } from "./plan.ts";
import { type Request, requestsOf } from "./requests.ts";

/**
 * The process that asks, on the core that the server has not. It takes plans from its parent and answers each with what it
 * saw. Ready-made clients (autocannon, undici) take several times the CPU for a request and so would be what is measured.
 */
const READ = 97; // one answer in so many is parsed and compared with what was asked for; of all, status and a piece of text
const PATIENCE = 20; // seconds that a late answer may take before it counts as none

const measure = async (plan: Plan): Promise<Outcome> => {
  const next = requestsOf(plan.work);
  const many = plan.work.kind === "post" ? plan.work.deals.length : Number.POSITIVE_INFINITY;
  const latencies = new Histogram();
  const created: string[] = [];
  let failure: Error | undefined;
  const fail = (error: Error) => {
    failure ??= error;
  };
  const connections: Connection[] = [];
  for (let n = 0; n < plan.connections; n++) connections.push(await Connection.open(plan.port, fail));
  let asked = 0;
  const cpu = process.cpuUsage();
  const start = performance.now();
  const end = start + plan.seconds * 1_000;

  const ask = (connection: Connection, since: number, then: (connection: Connection) => void) => {
    const request = next();
    asked++;
    connection.send(request.bytes, (status, body) => {
      const wrong = plan.anything && status === 200 ? undefined : wrongWith(request, status, body, latencies.count);
      if (wrong) return fail(new Error(wrong));
      latencies.record((performance.now() - since) * 1_000);
      if (request.status === 201 && latencies.count % READ === 0) created.push(JSON.parse(body.toString()).id);
      then(connection);
    });
  };

  /** Each connection asks again once it is answered. */
  const again = (connection: Connection) => {
    const now = performance.now();
    if (now < end && asked < many) ask(connection, now, again);
  };

  /** Requests arrive when they are due; one that finds no free connection waits, and its wait counts. */
  const arrive = async (rate: number) => {
    const free = [...connections]; // in turn: one that rests too long is closed by the server
    const due: number[] = [];
    let arrived = 0;
    const freed = (connection: Connection) => {
      const since = due.shift();
      if (since === undefined) free.push(connection);
      else ask(connection, since, freed);
    };
    for (let now = start; now < end && !failure; now = performance.now()) {
      for (; start + (arrived * 1_000) / rate <= now; arrived++) due.push(start + (arrived * 1_000) / rate);
      while (due.length > 0 && free.length > 0) ask(free.shift()!, due.shift()!, freed);
      await delay(1);
    }
  };

  if (plan.rate) await arrive(plan.rate);
  else connections.forEach(again);
  while (!failure && (connections.some(({ free }) => !free) || (asked < many && performance.now() < end))) {
    if (performance.now() > end + PATIENCE * 1_000) {
      const late = connections.filter(({ free }) => !free);
      fail(new Error(`${late.length} answers had not come after ${PATIENCE} seconds, the first to ${late[0]?.asked}`));
    }
    await delay(1);
  }
  const seconds = (performance.now() - start) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  for (const connection of connections) connection.close();
  if (failure) throw failure;
  return {
    answers: latencies.count,
    seconds,
    latencies: latencies.counts,
    max: latencies.max,
    busy: (user + system) / 1e6 / seconds,
    created,
  };
};

const wrongWith = (request: Request, status: number, body: Buffer, n: number): string | undefined => {
  const right =
    status === request.status && body.includes(request.marker) && (n % READ !== 0 || request.right(JSON.parse(body.toString())));
  if (right) return undefined;
  return `a wrong answer to ${request.bytes.toString().split("\r\n", 1)}: ${status} ${body.toString().slice(0, 500)}`;
};

process.on("message", async (plan: Plan) => {
  const reply: Reply = await measure(plan).then(
    (outcome) => ({ outcome }),
    (error: Error) => ({ error: error.message }),
  );
  process.send!(reply);
});
process.on("disconnect", () => process.exit(0));
