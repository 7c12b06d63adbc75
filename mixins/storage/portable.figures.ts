import { decimal } from "../core/decimal.ts";
import type { DomainEvent } from "../core/model.ts";
import { upcast } from "../core/upcast.ts";
import type { Projection } from "../view.sink.ts";
import type { Commit, Logged } from "./event-store.ts";
import type { Entry, Section } from "./portable-record.ts";
import type { Figure } from "./view-store.ts";

type Report = Projection<object, never>;
type Fold = (document: object | undefined, event: DomainEvent, commit: Logged) => object | undefined;

/** A line of a report: how much of what, by what. */
export interface ReportLine {
  readonly report: string;
  readonly dimension: string;
  /** The months of a dimension's whole, the keys of all others. */
  readonly key: string;
  readonly currency: string;
  readonly measures: Readonly<Record<string, string>>;
}

const MONTH = 7; // letters of a day that name its month

/** The figures of all reports, made from a record alone: by what each room's projection does with each commit. */
export class Figures {
  readonly #reports: readonly Report[];
  readonly #documents: Map<string, object | undefined>[];

  constructor(reports: readonly Report[]) {
    this.#reports = reports.filter(({ rollup }) => rollup);
    this.#documents = this.#reports.map(() => new Map());
  }

  /** The commits of each stream come in their order. */
  take(room: string, section: Section, entry: Entry): void {
    if (section !== "commits") return;
    const commit = entry as Commit;
    for (const [i, { source, on }] of this.#reports.entries()) {
      if (source !== room) continue;
      const handlers = on as Record<string, Fold | undefined>;
      const documents = this.#documents[i]!;
      for (const stored of commit.events) {
        const event = upcast(room, stored);
        const handler = handlers[event.type];
        if (handler) documents.set(commit.stream, handler(documents.get(commit.stream), event, { ...commit, position: 0 }));
      }
    }
  }

  lines(): ReportLine[] {
    return this.#reports.flatMap((report, i) => linesOf(report, [...this.#documents[i]!.values()]));
  }
}

const linesOf = ({ name, many, rollup }: Report, documents: readonly (object | undefined)[]): ReportLine[] => {
  const { by, figures, measures, dimensions } = rollup!;
  const buckets = new Map<string, object[]>();
  for (const document of documents) {
    if (!document) continue;
    for (const bucket of new Set(many![by]!(document))) {
      const held = buckets.get(bucket);
      if (held) held.push(document);
      else buckets.set(bucket, [document]);
    }
  }
  const sums = new Map<string, Omit<Figure, "measures"> & { measures: bigint[] }>();
  for (const [bucket, held] of buckets) {
    for (const figure of figures(held, bucket)) {
      const key = figure.dimension === dimensions[0] ? bucket.slice(0, MONTH) : figure.key;
      const id = JSON.stringify([figure.dimension, figure.currency, key]);
      const sum = sums.get(id);
      if (!sum) sums.set(id, { ...figure, key, measures: [...figure.measures] });
      else for (const [i, measure] of figure.measures.entries()) sum.measures[i]! += measure;
    }
  }
  return [...sums]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { dimension, key, currency, measures: values }]) => ({
      ...{ report: name, dimension, key, currency },
      measures: Object.fromEntries(measures.map((measure, i) => [measure, decimal(values[i]!)])),
    }));
};
