import { LRUCache } from "lru-cache";
import { ALL, type Caller } from "./node-identity.ts";

const VAULT = ["newDataKeys", "dataKeys", "indexKey", "destroyDataKeys", "destroyedDataKeys"].map((verb) => `auth.${verb}`);

/** What a room calls in others, in its own name; in itself it may call all. An action as `<room>.<verb>`, with `*` for any. */
const CALLS: Readonly<Record<string, readonly string[]>> = {
  gateway: ["auth.keys", "auth.revoked", "auth.readKey"],
  policies: ["users.get"],
  auth: ["users.get", "users.byEmail", "users.create"],
  customers: VAULT,
  users: [...VAULT, "auth.exportAccount"],
  deals: ["inventory.*", "products.*"],
  events: ["*.deadLetters"],
  sagas: ["*.sagas"],
};
/** What every node may ask: by which keys tokens are signed, and what the roles may do. And tell: what it refused. */
const ASKED_BY_ALL = ["auth.keys", "policies.current", "audit.report"];

const callers = new LRUCache<string, Caller>({ max: 10_000 });

/** Keeps which rooms a node runs that was heard. */
export const remember = (caller: Caller): void => {
  if (callers.get(caller.node)?.rooms !== caller.rooms) callers.set(caller.node, caller);
};

/** Whether a node may call `v1.<room>.<verb>…` in its own name. */
export const mayCall = (node: string, action: string): boolean => {
  const rooms = callers.get(node)?.rooms;
  if (!rooms || rooms === ALL) return rooms === ALL;
  const [, room = "", verb = ""] = action.split(".");
  return (
    ASKED_BY_ALL.includes(`${room}.${verb}`) ||
    rooms.has(room) ||
    [...rooms].some((of) => CALLS[of]?.some((one) => covers(one, room, verb)))
  );
};

/** Whether a node runs a room, and may have what is that room's own. */
export const runs = (node: string, room: string): boolean => {
  const rooms = callers.get(node)?.rooms;
  return rooms === ALL || (rooms?.has(room) ?? false);
};

const covers = (granted: string, room: string, verb: string) => {
  const [ofRoom, ofVerb] = granted.split(".");
  return (ofRoom === "*" || ofRoom === room) && (ofVerb === "*" || ofVerb === verb);
};
