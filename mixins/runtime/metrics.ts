import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
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
  "banyan.**",
  "process.memory.rss",
  "process.uptime",
  "process.eventloop.**",
];

/** A value that is looked up when somebody asks; labels tell values of one name apart. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
}

/** What each gauge of ours means. */
const GAUGES: Readonly<Record<string, { description: string; labelNames: string[] }>> = {
  "banyan.actors.active": { description: "Actors in memory", labelNames: ["room"] },
  "banyan.mailbox.waiting": { description: "Commands that actors here have taken and not answered", labelNames: ["room"] },
  "banyan.publish.waiting": { description: "Commits stored here that are not on the bus yet", labelNames: ["room"] },
  "banyan.publish.lag": { description: "Age of the oldest of them, in milliseconds", labelNames: ["room"] },
  "banyan.consumer.lag": {
    description: "Events of the source that the follower has not taken in",
    labelNames: ["room", "follower", "source"],
  },
  "banyan.consumer.parked": { description: "Streams that wait behind an event that failed", labelNames: ["room", "follower", "source"] },
  "banyan.sagas.running": { description: "Sagas that run here", labelNames: ["room"] },
  "banyan.sagas.stuck": { description: "Those of them whose step fails again and again", labelNames: ["room"] },
  "process.eventloop.delay.p99": { description: "Delay of the event loop since it was last asked, in milliseconds", labelNames: [] },
  "process.eventloop.delay.max": { description: "The longest delay since it was last asked, in milliseconds", labelNames: [] },
  "process.eventloop.utilization": { description: "Share of the time that the event loop was at work", labelNames: [] },
};

type Look = () => readonly Figure[] | Promise<readonly Figure[]>;

const PATIENCE = 1_000; // milliseconds for one part

const inTime = async (look: Look): Promise<readonly Figure[]> => {
  const patience = new AbortController();
  const late = delay(PATIENCE, [], { signal: patience.signal }).catch(() => []);
  return Promise.race([look(), late]).finally(() => patience.abort());
};

const RESOLUTION = 20; // milliseconds from one look at the event loop to the next
const LAST_BUCKET = /^(moleculer_request_time)_bucket\{action="([^"]*)",le="\+Inf"\} \d+$/gm;

/** Moleculer's Prometheus reporter without the server that it would open on all interfaces: the gateway gives its text at /metrics. */
export class PrometheusText extends MetricReporters.Prometheus {
  readonly #looks = new Map<string, Look>();
  readonly #loop = monitorEventLoopDelay({ resolution: RESOLUTION });
  #used = performance.eventLoopUtilization();

  /** Looks at a part whenever somebody asks, and at no other time; the same name replaces what was said before. */
  gather(part: string, look: Look): void {
    this.#looks.set(part, look);
  }

  forget(part: string): void {
    this.#looks.delete(part);
  }

  override init(registry: Parameters<MetricReporters.Prometheus["init"]>[0]): void {
    MetricReporters.Base.prototype.init.call(this, registry);
    Object.assign(this, { defaultLabels: {} });
    this.opts.includes = SHOWN;
    this.#loop.enable();
    this.gather("event loop", () => this.#eventLoop());
  }

  override async stop(): Promise<void> {
    this.#loop.disable();
  }

  /** All families, in the text format of Prometheus. A part that cannot be looked at in time (its store is away) is left out. */
  async text(): Promise<string> {
    const { broker } = this;
    const looked = await Promise.allSettled([...this.#looks.values()].map(inTime));
    this.#show(looked.flatMap((look) => (look.status === "fulfilled" ? look.value : [])));
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

  /** What is not among them is not said any more. */
  #show(figures: readonly Figure[]) {
    const { metrics } = this.broker;
    for (const [name, { description, labelNames }] of Object.entries(GAUGES)) {
      const told = figures.filter((figure) => figure.name === name);
      if (told.length === 0 && !metrics.hasMetric(name)) continue;
      if (!metrics.hasMetric(name)) metrics.register({ name, type: "gauge", labelNames, description });
      const gauge = metrics.getMetric(name) as unknown as { values: Map<string, object>; setDirty(): void };
      gauge.values.clear();
      gauge.setDirty();
      for (const { value, labels } of told) metrics.set(name, value, labels);
    }
  }

  #eventLoop(): Figure[] {
    const { utilization } = performance.eventLoopUtilization(this.#used);
    this.#used = performance.eventLoopUtilization();
    const delays = [this.#loop.percentile(99), this.#loop.max].map((nanoseconds) => Math.max(0, nanoseconds / 1e6 - RESOLUTION));
    this.#loop.reset();
    return [
      { name: "process.eventloop.delay.p99", value: delays[0]! },
      { name: "process.eventloop.delay.max", value: delays[1]! },
      { name: "process.eventloop.utilization", value: utilization },
    ];
  }
}
MetricReporters.register("PrometheusText", PrometheusText as never); // typed as an instance, meant as a class

export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** What tells a broker's figures; undefined where metrics are off. */
export const reporterOf = ({ metrics }: ServiceBroker): PrometheusText | undefined =>
  (metrics as unknown as { reporter?: PrometheusText[] }).reporter?.[0];
