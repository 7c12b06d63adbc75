import { setTimeout as delay } from "node:timers/promises";
import { allRooms } from "../../mixins/runtime/node.ts";
import { type BadNetwork, startProxy } from "../support/proxy.ts";
import { NATS_SERVERS, type Servers } from "./chaos.servers.ts";
import type { Env, Fleet, Member } from "./fleet.ts";
import type { NodeSettings } from "./node.ts";

export const DOORS = 2;
const PATIENCE = 60_000; // until a node that is started while servers are away serves

/** What a place's node is told of the servers, and of how it is to be. */
const SETTINGS = { NAMESPACE: "chaos", BUS_REPLICAS: String(NATS_SERVERS), BUS_MAX_MEGABYTES: "16" } as const;

/** What a process that looks at the servers as they are is told. */
export const directly = ({ nats, mongo, redis }: Servers): Env => ({
  ...{ ...SETTINGS, TRANSPORTER: nats.map(({ url }) => url).join(), MONGO_URL: mongo.url, REDIS_URL: redis.url },
});

/** The rooms of each place: doors on the first two, and every other room on all places but one, so that each is on two of three. */
export const spread = (places: number, rooms: readonly string[] = allRooms()): string[][] => {
  const others = rooms.filter((room) => room !== "gateway");
  return Array.from({ length: places }, (_, place) => [
    ...(place < DOORS ? ["gateway"] : []),
    ...others.filter((_, i) => places < 3 || i % places !== place),
  ]);
};

type Links = Readonly<Record<"nats" | "mongo" | "redis", readonly BadNetwork[]>>;

/** Where a node runs, and runs again after it was killed, with a bad network of its own to each server. */
export class Place {
  static async open(fleet: Fleet, servers: Servers, rooms: readonly string[], settings: NodeSettings): Promise<Place> {
    const nats = await Promise.all(servers.nats.map(({ port }) => startProxy(port)));
    const [mongo, redis] = await Promise.all([startProxy(servers.mongo.port), startProxy(servers.redis.port)]);
    const place = new Place(fleet, { nats, mongo: [mongo], redis: [redis] }, { ...settings, rooms });
    await place.start();
    return place;
  }

  readonly #fleet: Fleet;
  readonly #links: Links;
  readonly #settings: NodeSettings;
  #member!: Member;

  private constructor(fleet: Fleet, links: Links, settings: NodeSettings) {
    this.#fleet = fleet;
    this.#links = links;
    this.#settings = settings;
  }

  get member(): Member {
    return this.#member;
  }

  links(to: "nats" | "mongo" | "redis" | "all" = "all"): readonly BadNetwork[] {
    return to === "all" ? Object.values(this.#links).flat() : this.#links[to];
  }

  /** Starts its node; again and again where a server is away, as whatever looks after processes does. */
  async start(): Promise<void> {
    const at = (links: readonly BadNetwork[], scheme: string) => links.map(({ port }) => `${scheme}://127.0.0.1:${port}`).join();
    const { nats, mongo, redis } = this.#links;
    const env = { ...SETTINGS, TRANSPORTER: at(nats, "nats"), MONGO_URL: at(mongo, "mongodb"), REDIS_URL: at(redis, "redis") };
    for (const since = Date.now(); ; await delay(500)) {
      try {
        this.#member = await this.#fleet.start(this.#settings, env);
        return;
      } catch (error) {
        if (Date.now() - since > PATIENCE) throw error;
      }
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.links().map((link) => link.stop()));
  }
}
