import { setTimeout as delay } from "node:timers/promises";
import type { ServiceBroker } from "moleculer";
import { Unavailable } from "../core/errors.ts";
import { ADMIN, ROLES, type Roles } from "../core/policy.ts";

/** What the policies say, as `v1.policies.current` answers: nothing new where the asker has the same. */
export interface Current {
  readonly digest: string;
  readonly roles?: Roles;
}

const ACTION = "v1.policies.current";
const EVERY = 500; // milliseconds: what was taken from a role is nobody's any more within a second
const PATIENCE = 3_000; // milliseconds that a call waits for the first word

/**
 * What each role may do, as a node knows it: what the room of policies says, asked for again and again. A process alone without that room has
 * what the house gives the roles; in a cluster nobody but administrators may do anything before it was heard once. Afterwards what was heard
 * last goes on while nobody answers.
 */
export class KnownRoles {
  roles: Roles = { [ADMIN]: ROLES[ADMIN]! };
  /** Whether it has been heard, or there is nobody who would say anything else. */
  known = false;
  readonly #broker: ServiceBroker;
  readonly #first = Promise.withResolvers<void>();
  #digest = "";
  #timer: NodeJS.Timeout | undefined;

  constructor(broker: ServiceBroker) {
    this.#broker = broker;
  }

  start(): void {
    this.#timer = setTimeout(() => this.look().finally(() => this.#timer && this.start()), this.known ? EVERY : 0).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Throws `ROOM_UNAVAILABLE` where nobody has said for some seconds what the roles may do. */
  async heard(): Promise<void> {
    await Promise.race([this.#first.promise, delay(PATIENCE, undefined, { ref: false })]);
    if (!this.known) throw new Unavailable("ROOM_UNAVAILABLE", "What your roles may do cannot be found out at the moment");
  }

  /** Asks what is new. */
  async look(): Promise<void> {
    const room = this.#broker.registry.getActionEndpoints(ACTION) as unknown as { hasAvailable(): boolean } | undefined;
    try {
      if (room?.hasAvailable()) {
        const { digest, roles } = await this.#broker.call<Current, object>(ACTION, { known: this.#digest });
        this.#digest = digest;
        this.#take(roles ?? this.roles);
      } else if (!this.#broker.transit && !this.known) this.#take(ROLES);
      else if (!this.known) await delay(20, undefined, { ref: false });
    } catch (error) {
      this.#broker.logger.debug({ event: "policies.unknown", error: String(error) });
      await delay(EVERY, undefined, { ref: false });
    }
  }

  #take(roles: Roles) {
    this.roles = roles;
    this.known = true;
    this.#first.resolve();
  }
}

const ofBrokers = new WeakMap<ServiceBroker, KnownRoles>();

/** What the roles may do, as this broker knows it. */
export const rolesOf = (broker: ServiceBroker): KnownRoles => {
  let known = ofBrokers.get(broker);
  if (!known) {
    known = new KnownRoles(broker);
    ofBrokers.set(broker, known);
  }
  return known;
};
