import type { CallingOptions, ServiceBroker } from "moleculer";
import type { User } from "../core/context.ts";
import { config } from "../runtime/config.ts";
import { Refused } from "../runtime/refused.ts";
import { operatorKeyOf, type PublicKey, publicPart, signed, TOKEN_SECONDS } from "./access-token.ts";
import { hasMasterKey, masterKey } from "./master-key.ts";
import { prove } from "./proofs.ts";

/** Whoever starts a process on the rooms' own stores: he could read and change all of it by hand. */
export const OPERATOR: User = Object.freeze({ id: "operator", roles: Object.freeze(["admin"]) });

/** By which an operator's tokens are known, without asking anybody: to whoever has the master key. */
export const operatorsKeys = (): PublicKey[] => (hasMasterKey() ? [publicPart(operatorKeyOf(masterKey()))] : []);

/** Throws `Refused` where this process cannot act as an operator: a certificate says which rooms it runs, and nothing of who asks. */
export const requireOperator = (): void => {
  if (!hasMasterKey()) throw new Refused("Who acts as an operator in a cluster needs the master key: set MASTER_KEY_FILE");
};

const RENEWED = (TOKEN_SECONDS * 1_000) / 2; // milliseconds
const proven = new WeakMap<User, number>();

/** Sees to it that other nodes believe who this user of the process's own is: where it has the master key it may sign for him. */
export const vouchFor = async (user: User): Promise<void> => {
  const now = Date.now();
  if (!config.transporter || !hasMasterKey() || now - (proven.get(user) ?? 0) < RENEWED) return;
  prove(user, await signed(operatorKeyOf(masterKey()), config.issuer, user, TOKEN_SECONDS, now));
  proven.set(user, now);
};

/** The broker as this user calls on it. */
export const actingAs = (user: User, broker: ServiceBroker): ServiceBroker => {
  const call = async (action: string, params?: object, options?: CallingOptions) => {
    await vouchFor(user);
    return broker.call(action, params ?? {}, { ...options, meta: { user, ...options?.meta } });
  };
  return Object.create(broker, { call: { value: call } });
};
