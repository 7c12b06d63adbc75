import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import type { ServiceBroker } from "moleculer";
import type { User } from "../../mixins/core/context.ts";
import { Rejected, Unavailable } from "../../mixins/core/errors.ts";
import { refusalOf } from "../../mixins/core/policy.ts";
import { config } from "../../mixins/runtime/config.ts";
import { lines, log } from "../../mixins/runtime/logger.ts";
import type { PublicKey } from "../../mixins/trust/access-token.ts";
import { isRefusal } from "../../mixins/trust/audit-refusals.ts";
import { operatorsKeys } from "../../mixins/trust/operator.ts";
import { type Refusals, refusalsOf } from "../../mixins/trust/refusals.ts";
import { Revocations } from "../../mixins/trust/revocations.ts";
import { type KnownRoles, rolesOf } from "../../mixins/trust/roles.ts";
import { type Sources, Tokens } from "../../mixins/trust/tokens.ts";
import { Allowances } from "./allowances.ts";
import { ALLOWED_HEADERS, type Cors, corsFor } from "./cors.ts";
import { Exchange } from "./exchange.ts";
import { clientBehind } from "./limits.ts";
import { isHttp2, isWhole, type Listening } from "./listening.ts";
import type { Problem } from "./problem.ts";
import { tooSlow } from "./refuse.ts";
import { Router } from "./router.ts";

const PATIENCE = 30_000;
const NOTICE = config.transporter ? 2_000 : 150; // milliseconds; in a cluster balancers stand before the doors, and look at readiness every second or so
const PATIENCE_AT_END = 8_000 - NOTICE;

export interface DoorSettings {
  /** Requests per second and client; 0 for no limit. */
  rateLimit: number;
  trustedProxies: readonly string[];
  corsOrigins: readonly string[];
  /** Whether it is reached by HTTPS itself. */
  https: boolean;
}

/** What all requests share: where they go, who may send how many, and what is still open. */
export class Door {
  router = new Router();
  /** From now on answers say that their connection ends with them. */
  closing = false;
  readonly allowances: Allowances;
  readonly client: (req: IncomingMessage) => string;
  readonly cors: Cors | undefined;
  readonly https: boolean;
  readonly open = new Set<Exchange>();
  /** How many requests were answered, by status. */
  readonly answered = new Map<number, number>();
  readonly call: ServiceBroker["call"];
  readonly #refusals: Refusals;
  readonly #tokens: Tokens;
  readonly #revocations: Revocations;
  readonly #roles: KnownRoles;
  readonly #started: () => boolean;
  readonly #rooms: ReadonlySet<string>;
  readonly #sweep: NodeJS.Timeout;

  /** `rooms` are all that exist, whether they run here or not. */
  constructor(broker: ServiceBroker, rooms: readonly string[], { rateLimit, trustedProxies, corsOrigins, https }: DoorSettings) {
    this.https = https;
    this.allowances = new Allowances(rateLimit);
    this.client = clientBehind(trustedProxies);
    this.cors = corsFor(corsOrigins);
    this.call = broker.call.bind(broker);
    this.#refusals = refusalsOf(broker);
    /** Asks the room of auth, where it runs: Moleculer warns at each call of a room that does not. */
    const auth = <T>(verb: string, params: object): Promise<T> => {
      const known = broker.registry.getActionEndpoints(`v1.auth.${verb}`) as unknown as { hasAvailable(): boolean } | undefined;
      return known?.hasAvailable()
        ? broker.call<T, object>(`v1.auth.${verb}`, params)
        : Promise.reject(new Error("auth does not run, or cannot be reached"));
    };
    this.#revocations = new Revocations((since) => auth("revoked", { since }), broker.logger);
    const sources: Sources = {
      keys: async (kid) => (await auth<{ keys: PublicKey[] }>("keys", { kid })).keys,
      apiKey: (key) => auth("readKey", { key }),
    };
    this.#tokens = new Tokens(sources, this.#revocations.ended, operatorsKeys());
    this.#roles = rolesOf(broker);
    this.#started = () => broker.started;
    this.#rooms = new Set(rooms);
    this.#sweep = setInterval(() => this.#expire(performance.now() - PATIENCE), 1_000).unref();
  }

  /** From now on it hears of sessions that end. */
  watch(): void {
    this.#revocations.start();
  }

  /** Whose a token is. A door that has just opened has to hear first which sessions have ended. */
  identify(token: string): User | Promise<User> {
    return this.#revocations.known ? this.#tokens.verify(token) : this.#revocations.first.then(() => this.#tokens.verify(token));
  }

  /** Throws where this user may not do what takes the permission. Until it is known what his roles may do, the room says so. */
  admit(user: User | undefined, permission: string | undefined): void {
    const refusal = !user || this.#roles.known ? refusalOf(user, permission, this.#roles.roles) : undefined;
    if (refusal) throw refusal;
  }

  handle(req: IncomingMessage, res: ServerResponse) {
    const exchange = new Exchange(this, req, res);
    this.open.add(exchange);
    exchange.begin();
  }

  /**
   * From now on every answer says that its connection ends with it, and readiness is denied. Whoever is about to send on a
   * connection that he holds, or here at all, is given a moment to be told; then nothing new is taken, and what was taken is answered.
   */
  async close(listening: Listening): Promise<void> {
    this.closing = true;
    listening.ask();
    await delay(NOTICE);
    await listening.close(PATIENCE_AT_END);
    clearInterval(this.#sweep);
    this.#revocations.stop();
    this.allowances.close();
  }

  /** Tells why there is nothing at the path: wrong method, a room that runs elsewhere, or never heard of. */
  noRoute(exchange: Exchange) {
    const { path, req } = exchange;
    const methods = this.router.methods(path);
    if (methods.length > 0) {
      const allow = [...methods, "OPTIONS"].join(", ");
      if (req.method === "OPTIONS") return exchange.send(204, ["Allow", allow, ...this.#preflight(allow)], "", 0);
      return exchange.fail(new Rejected("METHOD_NOT_ALLOWED", `This takes ${allow}, not ${req.method}`, 405), ["Allow", allow]);
    }
    const room = /^\/api\/v1\/([^/]+)/.exec(path)?.[1];
    if (room && !this.#started()) return exchange.fail(new Unavailable("NODE_STARTING", "The rooms here are being opened or closed"));
    const known = room && this.#rooms.has(room) && !this.router.routes.some((route) => route.path.startsWith(`/api/v1/${room}`));
    if (known) return exchange.fail(new Unavailable("ROOM_UNAVAILABLE", `${room} does not run here`));
    exchange.fail(new Rejected("ROUTE_NOT_FOUND", "There is nothing here; /openapi.json lists all there is", 404));
  }

  #preflight(allow: string): string[] {
    if (!this.cors) return [];
    return ["Access-Control-Allow-Methods", allow, "Access-Control-Allow-Headers", ALLOWED_HEADERS, "Access-Control-Max-Age", "600"];
  }

  /** Tells the audit room of a command that never came to a room, for want of somebody who may. */
  refused({ route, user, req, course }: Exchange, { status, code }: Problem) {
    if (!route?.action || route.method === "GET" || !isRefusal(status)) return;
    const { name } = route.action;
    this.#refusals.report({ result: "refused", action: name, code, status, user, from: this.client(req), request: course.requestId });
  }

  unexpected(error: unknown, { course, req, path }: Exchange) {
    log.error({ event: "request-failed", ...course, method: req.method, path, err: error });
  }

  done(exchange: Exchange, status: number, bytes: number, code?: string) {
    this.open.delete(exchange);
    this.answered.set(status, (this.answered.get(status) ?? 0) + 1);
    if (log.isLevelEnabled("info")) lines.write(accessLine(exchange, status, bytes, code));
  }

  #expire(before: number) {
    for (const exchange of this.open) {
      if (exchange.began > before) return; // they stand in the order in which they came
      if (isWhole(exchange.req)) exchange.expire();
      else if (isHttp2(exchange.req)) exchange.fail(tooSlow()); // of HTTP/1.1 the server does it
    }
  }
}

/** Written by hand, for it is written for every request. The query stays out: it may say what a log should not. */
const accessLine = ({ course, req, route, path, began }: Exchange, status: number, bytes: number, code: string | undefined) =>
  `{"level":30,"time":${Date.now()},"event":"request","requestId":"${course.requestId}","traceId":"${course.traceId}","user":"${course.user}",` +
  `"method":"${req.method}","path":${JSON.stringify(path)},"action":"${route?.action?.name ?? ""}","status":${status},` +
  `${code ? `"code":"${code}",` : ""}"bytes":${bytes},"ms":${(performance.now() - began).toFixed(2)}}\n`;
