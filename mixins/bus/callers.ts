import type { ServiceBroker, Transit } from "moleculer";
import type { Meta, User } from "../core/context.ts";
import type { PublicKey } from "../trust/access-token.ts";
import { remember, runs } from "../trust/node-calls.ts";
import { ALL, type Caller, NodeTokens, nodeName } from "../trust/node-identity.ts";
import { operatorsKeys } from "../trust/operator.ts";
import { proofOf } from "../trust/proofs.ts";
import { Tokens } from "../trust/tokens.ts";
import type { Payload } from "./packets.ts";

const LEEWAY = 30; // seconds: a door let it in a moment ago, by its own clock

/** What goes with a call in place of its user: who he is, and the token that says so, if somebody has seen one. */
interface Carried extends Omit<Meta, "user"> {
  user?: { id?: unknown };
  token?: unknown;
}

/** A call's meta as it goes to another node. */
export const proving = (meta: unknown): unknown => {
  const { user, ...rest } = (meta ?? {}) as Meta;
  return user ? { ...rest, user: { id: user.id }, token: proofOf(user) } : meta;
};

interface Told {
  name?: unknown;
  version?: unknown;
  actions?: Record<string, { name?: unknown; rest?: unknown }>;
  events?: Record<string, unknown>;
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

/**
 * What a node may say that it runs: its rooms, with actions that bear their names and stand under their addresses. Others call by the action's name, and
 * the door goes by the address.
 */
export const servicesOf = (services: unknown, { rooms }: Caller): unknown => {
  if (rooms === ALL || !Array.isArray(services)) return services;
  const own = services.filter(
    (told: Told | null) => isObject(told) && typeof told.name === "string" && (told.name === "$node" || rooms.has(told.name)),
  );
  return own.map((told: Told) => {
    const fullName = told.version === 1 ? `v1.${told.name}` : String(told.name);
    const begin = `${fullName}.`;
    const actions = Object.entries(told.actions ?? {}).filter(
      ([key, action]) => isObject(action) && key.startsWith(begin) && action.name === key,
    );
    return {
      ...told,
      ...{ version: told.version === 1 ? 1 : undefined, fullName, settings: {} },
      actions: Object.fromEntries(
        actions.map(([key, action]) => [key, typeof action.rest === "object" ? { ...action, rest: undefined } : action]),
      ),
      events: Object.fromEntries(Object.entries(told.events ?? {}).filter(([name]) => !name.startsWith("$"))),
    };
  });
};

/** What rooms tell each other by events; everything else is said by nobody on the bus. */
const EVENTS = new Set(["sagas.hurried", "sagas.left"]);

/** Whether a node may say so: of a room that it runs. */
export const mayTell = ({ event, data }: Payload, { node }: Caller): boolean => {
  const { room } = (data ?? {}) as { room?: unknown };
  return typeof event === "string" && EVENTS.has(event) && typeof room === "string" && runs(node, room);
};

/** Whether it was this node that a call went to; what nobody waits for any more is passed over as ever. */
export const isAsked = ({ pendingRequests }: Transit, { id }: Payload, { node }: Caller): boolean => {
  const asked = (pendingRequests as Map<unknown, { nodeID?: string }>).get(id);
  return asked === undefined || asked.nodeID === node;
};

const MOST_ALIKE = 500; // nodes of one name

/** Whoever has a certificate can make up ids of nodes: there is room for so many of its name. */
export const hasRoomFor = ({ registry }: ServiceBroker, { node }: Caller): boolean => {
  if (registry.nodes.get(node)) return true;
  const name = nodeName(node);
  return registry.nodes.toArray().filter(({ id }: { id: string }) => nodeName(id) === name).length < MOST_ALIKE;
};

const TEXTS = ["idempotencyKey", "traceId", "cause", "from"] as const;
const NUMBERS = ["ifVersion", "occurredAt"] as const;
const LONGEST = 512; // characters of a text that goes with a call

/** Of what goes with a call, what we know, in the form in which we know it. */
const knownOf = (meta: Record<string, unknown>): Omit<Meta, "user"> =>
  Object.fromEntries([
    ...TEXTS.flatMap((name) => (typeof meta[name] === "string" && meta[name].length <= LONGEST ? [[name, meta[name]]] : [])),
    ...NUMBERS.flatMap((name) => (typeof meta[name] === "number" ? [[name, meta[name]]] : [])),
    ...(meta.ownKey === true ? [["ownKey", true]] : []),
  ]);

/** Finds out of what other nodes send who sends it, and for whom. */
export class Callers {
  readonly #nodes: NodeTokens;
  readonly #users: Tokens;

  constructor(broker: ServiceBroker) {
    this.#nodes = new NodeTokens(broker.nodeID);
    const keys = async (kid: string) => (await broker.call<{ keys: PublicKey[] }, object>("v1.auth.keys", { kid })).keys;
    const apiKey = () => Promise.reject(new Error("an API key stays at the door"));
    this.#users = new Tokens({ keys, apiKey }, () => false, operatorsKeys(), LEEWAY);
  }

  /** Which node speaks; undefined where it is none of ours, or did not say this (`about`) to all. */
  who(token: unknown, about: () => string): Caller | undefined {
    const caller = this.#nodes.read(token, about);
    if (caller) remember(caller);
    return caller;
  }

  /**
   * Puts the user in whose name a call comes into its meta: with what his token says, where it brings one that counts. One whom a node
   * only names has no roles, and what is done says that it was a node's word. Resolves with why the call is refused; undefined where that is
   * known at once not to be.
   */
  admit(payload: Payload, { node }: Caller): Promise<Error | undefined> | undefined {
    const meta = (payload.meta ?? {}) as Carried;
    const { user: named, token } = meta;
    const rest = knownOf(meta as Record<string, unknown>);
    payload.meta = rest;
    if (!named) return undefined;
    const nested = payload.level !== 1;
    const byName = () => {
      if (typeof named.id === "string") payload.meta = { cause: `node:${node}`, ...rest, user: Object.freeze({ id: named.id, roles: [] }) };
    };
    if (typeof token !== "string") return void byName();
    const verified = (user: User) => {
      payload.meta = { ...rest, user };
    };
    const refused = (error: Error) => {
      if (!nested) return error;
      byName(); // what was begun in time goes on
    };
    try {
      const user = this.#users.verify(token);
      if (user instanceof Promise) return user.then(verified, refused) as Promise<Error | undefined>;
      verified(user);
    } catch (error) {
      const refusal = refused(error as Error);
      if (refusal) return Promise.resolve(refusal);
    }
    return undefined;
  }
}
