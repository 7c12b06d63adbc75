import { type Context, MetricReporters, type Middleware, type ServiceBroker } from "moleculer";

const TIME = "moleculer.request.time";
const ERRORS = "moleculer.request.error.total";
const BOUNDS = [1, 5, 25, 100, 500, 2_500]; // milliseconds

/** How long the calls of one action took, counted where it costs next to nothing; Moleculer's registry is told when somebody asks. */
class Tally {
  readonly #within = BOUNDS.map(() => 0);
  count = 0;
  sum = 0;

  add(ms: number): void {
    this.count++;
    this.sum += ms;
    for (let i = 0; i < BOUNDS.length; i++) {
      if (ms <= BOUNDS[i]!) {
        this.#within[i]!++;
        return;
      }
    }
  }

  /** As Moleculer's histogram holds it: each bucket counts the faster ones too. */
  item(action: string): object {
    const upTo = (i: number) => this.#within.slice(0, i + 1).reduce((sum, within) => sum + within, 0);
    const bucketValues = Object.fromEntries(BOUNDS.map((bound, i) => [bound, upTo(i)]));
    return { labels: { action }, count: this.count, sum: this.sum, bucketValues, timestamp: Date.now() };
  }
}

const tallies = new WeakMap<ServiceBroker, Map<string, Tally>>();

/**
 * Times every call of an action, and counts those that failed. In place of Moleculer's own middleware of that name, whose
 * families, quantiles and rates cost a call seven times what the call itself does.
 */
export const callMetrics: Middleware = {
  name: "Metrics",
  created(broker) {
    tallies.set(broker, new Map());
    const labelNames = ["action"];
    broker.metrics.register({ name: TIME, type: "histogram", labelNames, buckets: BOUNDS, description: "Time of calls, in milliseconds" });
    broker.metrics.register({ name: ERRORS, type: "counter", labelNames: ["action", "code"], description: "Calls that failed" });
  },
  localAction(next, { name = "" }) {
    const tally = new Tally();
    tallies.get(this)?.set(name, tally);
    const call = next as (ctx: Context) => Promise<unknown>;
    const failed = (code = "INTERNAL_ERROR") => this.metrics.increment(ERRORS, { action: name, code });
    return (ctx: Context) => {
      const began = performance.now();
      return call(ctx).then(
        (answer: unknown) => {
          tally.add(performance.now() - began);
          return answer;
        },
        (error: { type?: string }) => {
          tally.add(performance.now() - began);
          failed(error?.type);
          throw error;
        },
      );
    };
  },
};

const SHOWN = [
  "moleculer.request.**",
  "moleculer.circuit-breaker.**",
  "http.**",
  "process.memory.rss",
  "process.memory.heap.used",
  "process.uptime",
  "process.eventloop.lag.*",
];

const LAST_BUCKET = /^(moleculer_request_time)_bucket\{action="([^"]*)",le="\+Inf"\} \d+$/gm;

/** Moleculer's Prometheus reporter without the server that it would open on all interfaces: the gateway gives its text at /metrics. */
export class PrometheusText extends MetricReporters.Prometheus {
  readonly #gathers = new Map<string, () => void>();

  /** Has the figures of a part brought up to date whenever somebody asks; the same name replaces what was said before. */
  gather(part: string, update: () => void): void {
    this.#gathers.set(part, update);
  }

  override init(registry: Parameters<MetricReporters.Prometheus["init"]>[0]): void {
    MetricReporters.Base.prototype.init.call(this, registry);
    Object.assign(this, { defaultLabels: {} });
    this.opts.includes = SHOWN;
  }

  override async stop(): Promise<void> {}

  /** All families, in the text format of Prometheus. */
  text(): string {
    const { broker } = this;
    for (const update of this.#gathers.values()) update();
    const time = broker.metrics.getMetric(TIME) as unknown as { values: Map<string, object>; setDirty(): void };
    const called = new Map([...(tallies.get(broker) ?? [])].filter(([, { count }]) => count > 0));
    for (const [action, tally] of called) time.values.set(action, tally.item(action));
    time.setDirty();
    // Moleculer's gives a histogram's sum and count only along with quantiles.
    return this.generatePrometheusResponse().replace(LAST_BUCKET, (line, family: string, action: string) => {
      const { sum, count } = called.get(action)!;
      return `${line}\n${family}_sum{action="${action}"} ${sum}\n${family}_count{action="${action}"} ${count}`;
    });
  }
}
MetricReporters.register("PrometheusText", PrometheusText as never); // typed as an instance, meant as a class

export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** What tells a broker's figures; undefined where metrics are off. */
export const reporterOf = ({ metrics }: ServiceBroker): PrometheusText | undefined =>
  (metrics as unknown as { reporter?: PrometheusText[] }).reporter?.[0];
