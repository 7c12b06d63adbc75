import { Rejected } from "../../mixins/core/errors.ts";
import { BadLine, type Line, lineReader, revenueOf, toDeal, toWriteOffs, UNKNOWN } from "./imports.mapping.ts";
import { Plan } from "./imports.plan.ts";
import type { Progress } from "./imports.progress.ts";
import { type CsvRecord, csvRecords } from "./imports.reader.ts";
import { type Call, isRefusal, NotYet, patiently, Window } from "./imports.rooms.ts";
import type { Source } from "./imports.source.ts";

/** What an import did. Amounts are in 10⁻⁸. */
export interface Outcome {
  readonly deals: { count: number; amount: bigint };
  readonly returns: { count: number; amount: bigint };
  readonly adjustments: { count: number; amount: bigint };
  writeOffs: number;
  products: number;
  customers: number;
  lines: number;
  rejects: number;
  /** Of the lines that are of no known customer. */
  unknown: number;
  /** The deal that was answered last. */
  seen?: { id: string; version: number };
}

export interface Import {
  readonly source: Source;
  readonly call: Call;
  readonly progress: Progress;
  /** Epoch milliseconds: what the file says of later cannot have happened. */
  readonly now: number;
  /** Hears of each line that is left out, and why. */
  readonly reject: (record: CsvRecord, reason: string) => void;
  /** Hears of the columns before of any line. */
  readonly columns?: (header: readonly string[]) => void;
  /** Asks to stop; what has begun is finished first. */
  readonly signal?: AbortSignal;
}

type Read = ReturnType<typeof lineReader>;

const MANY = 200; // items of a call that takes many
const IN_FLIGHT = 512; // deals: fewer leave the disk waiting, more only take memory

/**
 * Reads the books twice: once to know what the rooms must hold before the first sale (`Plan`), and once to book invoice
 * by invoice. All ids follow from the file's own content, so that an import that was ended anywhere goes on when it is
 * run again, and one that was complete changes nothing.
 * @throws BadLine where the file has no header that we know; the signal's reason; what a room failed with
 */
export const importBooks = async (job: Import): Promise<Outcome> => {
  const outcome: Outcome = {
    deals: { count: 0, amount: 0n },
    returns: { count: 0, amount: 0n },
    adjustments: { count: 0, amount: 0n },
    ...{ writeOffs: 0, products: 0, customers: 0, lines: 0, rejects: 0, unknown: 0 },
  };
  const { plan, read } = await makePlan(job, outcome);
  await openRooms(job, plan, outcome);
  await bookInvoices(job, plan, read, outcome);
  return outcome;
};

/** The first pass: bad lines are told here, and passed over in the second. */
const makePlan = async ({ source, now, columns, reject, progress, signal }: Import, outcome: Outcome) => {
  const plan = new Plan();
  let read: Read | undefined;
  progress.begin("reading", source.size, "bytes");
  for await (const records of csvRecords(source.read(progress.reach))) {
    signal?.throwIfAborted();
    for (const record of records) {
      if (!read) {
        read = lineReader(record.fields, now);
        columns?.(record.fields);
        continue;
      }
      outcome.lines++;
      try {
        const line = read(record);
        plan.add(line);
        if (line.party === UNKNOWN) outcome.unknown++;
      } catch (error) {
        if (!(error instanceof BadLine)) throw error;
        outcome.rejects++;
        reject(record, error.message);
      }
    }
  }
  progress.end();
  if (!read) throw new BadLine("the file is empty");
  return { plan, read };
};

/** The second pass: the invoices, each once its last line has been read, wherever its lines stand. */
async function* invoicesOf(source: Source, plan: Plan, read: Read): AsyncGenerator<Line[]> {
  const begun = new Map<string, Line[]>();
  let header = true;
  for await (const records of csvRecords(source.read())) {
    for (const record of header ? records.slice(1) : records) {
      const line = understood(read, record, plan);
      if (!line) continue;
      const lines = begun.get(line.invoice) ?? [];
      lines.push(line);
      if (lines.length < plan.invoices.get(line.invoice)!.lines) {
        begun.set(line.invoice, lines);
      } else {
        begun.delete(line.invoice);
        yield lines;
      }
    }
    header &&= records.length === 0;
  }
}

const understood = (read: Read, record: CsvRecord, plan: Plan): Line | undefined => {
  try {
    const line = read(record);
    plan.check(line);
    return line;
  } catch (error) {
    if (error instanceof BadLine) return undefined;
    throw error;
  }
};

/** Products, customers and the stock that was there when the books were opened. */
const openRooms = async ({ source, call, progress, signal }: Import, plan: Plan, outcome: Outcome) => {
  const products = plan.products();
  const customers = plan.customers();
  const receipts = plan.receipts(source.digest());
  const calls = [
    ...inMany(products).map((items) => ["v1.products.saveMany", { items }] as const),
    // Their names are made up from numbers: whoever gave them better ones keeps those.
    ...inMany(customers).map((items) => ["v1.customers.saveMany", { items, onlyNew: true }] as const),
    ...inMany(receipts).map((items) => ["v1.inventory.receiveMany", { items }] as const),
  ];
  const window = new Window(4);
  let done = 0;
  progress.begin("opening", products.length + customers.length + receipts.length, "items");
  try {
    for (const [action, params] of calls) {
      signal?.throwIfAborted();
      await window.run(async () => {
        requireAll(await call(action, params));
        done += params.items.length;
        progress.reach(done);
      });
    }
  } finally {
    await window.idle();
  }
  progress.end();
  outcome.products = products.length;
  outcome.customers = customers.length;
};

const bookInvoices = async (job: Import, plan: Plan, read: Read, outcome: Outcome) => {
  const { source, progress, signal } = job;
  const window = new Window(IN_FLIGHT);
  let done = 0;
  progress.begin("booking", plan.lines, "lines");
  try {
    for await (const lines of invoicesOf(source, plan, read)) {
      signal?.throwIfAborted();
      await window.run(async () => {
        await book(job, lines, outcome);
        done += lines.length;
        progress.reach(done);
      });
    }
  } finally {
    await window.idle();
  }
  progress.end();
};

const book = async (job: Import, lines: readonly Line[], outcome: Outcome) => {
  const written = lines.filter(({ kind }) => kind === "write-off");
  if (written.length < lines.length)
    await bookDeal(job, written.length > 0 ? lines.filter((line) => !written.includes(line)) : lines, outcome);
  if (written.length > 0) await writeOff(job, written, outcome);
};

const bookDeal = async (job: Import, lines: readonly Line[], outcome: Outcome) => {
  const { kind, at } = lines[0]!;
  try {
    const action = kind === "return" ? "v1.deals.takeBack" : "v1.deals.book";
    const deal = await patiently(async () => finished((await job.call(action, toDeal(lines), at)) as Booked | undefined));
    const booked = kind === "return" ? outcome.returns : kind === "adjustment" ? outcome.adjustments : outcome.deals;
    booked.count++;
    booked.amount += revenueOf(lines);
    outcome.seen = deal;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    for (const line of lines) leaveOut(job, line, `${error.type ?? "REFUSED"}: ${error.message}`, outcome);
  }
};

/** A deal whose goods have left, or come back. One that a dead process had begun is taken over within seconds. */
const finished = (deal?: Booked) => {
  if (deal?.refused) throw new Rejected(deal.refused.code, deal.refused.reason);
  if (deal && deal.status !== "fulfilled" && deal.status !== "returned") throw new NotYet(`Deal ${deal.id} is still ${deal.status}`);
  return deal;
};

const writeOff = async (job: Import, lines: readonly Line[], outcome: Outcome) => {
  const answer = (await job.call("v1.inventory.writeOffMany", { items: toWriteOffs(lines) })) as Answers | undefined;
  for (const [i, line] of lines.entries()) {
    const { ok, reason } = answer?.items?.[i] ?? { ok: true };
    if (ok) outcome.writeOffs++;
    else leaveOut(job, line, reason ?? "REFUSED", outcome);
  }
};

/** What a room refuses is left out like a line that cannot be read, and told like one. */
const leaveOut = ({ reject }: Import, { record }: Line, reason: string, outcome: Outcome) => {
  outcome.rejects++;
  reject(record, reason);
};

/** A deal as far as its booking is answered; `refused` where it was left open, and why. */
interface Booked {
  id: string;
  version: number;
  status: string;
  refused?: { code: string; reason: string };
}

/** Of a call that takes many: each item is answered, and a refused one stops no other. */
interface Answers {
  items?: { id: string; ok?: boolean; reason?: string }[];
}

/** Without its products, customers and opening stock the rest would only be refused line by line. */
const requireAll = (answer: unknown) => {
  const refused = (answer as Answers | undefined)?.items?.find(({ ok }) => ok === false);
  if (refused) throw new Error(`${refused.id} could not be saved: ${refused.reason}`);
};

const inMany = <T>(items: readonly T[]): T[][] =>
  Array.from({ length: Math.ceil(items.length / MANY) }, (_, i) => items.slice(i * MANY, (i + 1) * MANY));
