import type { ServiceBroker } from "moleculer";
import type { Meta, User } from "../core/context.ts";
import type { PublicKey } from "../trust/access-token.ts";
import { remember } from "../trust/node-calls.ts";
import { ALL, type Caller, NodeTokens } from "../trust/node-identity.ts";
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

/** What a node may say that it runs. */
export const servicesOf = (services: unknown, { rooms }: Caller): unknown =>
  rooms === ALL || !Array.isArray(services) ? services : services.filter(({ name }) => name === "$node" || rooms.has(name));

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

  /** Which node speaks; undefined where it is none of ours. */
  who(token: unknown): Caller | undefined {
    const caller = this.#nodes.read(token);
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
    const { user: named, token, ...rest } = meta;
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
