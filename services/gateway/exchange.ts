import type { IncomingMessage, ServerResponse } from "node:http";
import type { Meta, User } from "../../mixins/core/context.ts";
import { Rejected, Unavailable } from "../../mixins/core/errors.ts";
import { ANYONE } from "../../mixins/core/policy.ts";
import { type Course, courses } from "../../mixins/runtime/logger.ts";
import type { Refusal } from "./allowances.ts";
import { readBody } from "./body.ts";
import { type Granted, inCookies, noCookies, refreshIn } from "./cookies.ts";
import { courseOf } from "./course.ts";
import { columnsOf, csvOf, wantsCsv } from "./csv.ts";
import type { Door } from "./door.ts";
import { hasLargeHeaders, isHttp2, isLost, isWhole } from "./listening.ts";
import { readConditions } from "./preconditions.ts";
import { problemOf } from "./problem.ts";
import { fromSegment, readQuery } from "./query.ts";
import { headersTooLarge } from "./refuse.ts";
import { type Coding, codedTag, codingFor, compress, isFresh, type Rendering, render, tagOf } from "./rendering.ts";
import type { Route } from "./router.ts";
import { tokenOf } from "./token.ts";

const JSON_TYPE = "application/json; charset=utf-8";
const GONE = 499; // for the log alone; there is nobody to be told
const WORTH_COMPRESSING = 1_024;
const HARDENING = ["X-Content-Type-Options", "nosniff", "Referrer-Policy", "no-referrer", "X-Frame-Options", "DENY"];
const NOTHING = "default-src 'none'; frame-ancestors 'none'";
const ONLY_OURS =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** One request and its answer. */
export class Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  course: Course;
  readonly began = performance.now();
  path = "";
  route: Route | undefined;
  /** Who asks, once that is known. */
  user: User | undefined;
  answered = false;
  /** Whether it has been handed to a room, which tells by itself what it refuses. */
  #called = false;
  readonly #door: Door;
  #query = "";
  /** Its answer goes into a browser's cookies. */
  #inCookies = false;

  constructor(door: Door, req: IncomingMessage, res: ServerResponse) {
    this.#door = door;
    this.req = req;
    this.res = res;
    this.course = courseOf(req);
  }

  /** Sees the request through. Whatever goes wrong on the way is answered as a problem. */
  begin() {
    try {
      if (hasLargeHeaders(this.req)) throw headersTooLarge();
      const url = this.req.url!;
      const mark = url.indexOf("?");
      this.path = mark < 0 ? url : url.slice(0, mark);
      if (this.path.length > 1 && this.path.endsWith("/")) this.path = this.path.slice(0, -1);
      this.#query = mark < 0 ? "" : url.slice(mark + 1);
      const wait = this.path.startsWith("/health/") ? 0 : this.#door.allowances.client.take(this.#client(), this.began);
      if (typeof wait !== "number") return this.#wait(wait);
      this.#enter(wait);
    } catch (error) {
      this.fail(error);
    }
  }

  #client(): string {
    return this.#door.client(this.req);
  }

  /** Until it is known whether other gateways have left this client a token. */
  async #wait(wait: Promise<number>): Promise<void> {
    const seconds = await wait;
    this.#goOn(() => this.#enter(seconds));
  }

  #enter(wait: number) {
    try {
      if (wait > 0) return this.#refuseForNow(this.#door.allowances.refused(wait));
      const method = this.req.method === "HEAD" ? "GET" : this.req.method!;
      const values: string[] = [];
      this.route = this.#door.router.find(method, this.path, values);
      if (!this.route) return this.#door.noRoute(this);
      if (this.route.serve) this.#serve(this.route);
      else this.#admit(this.route, values);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Finds out who asks, and whether he may: at once for whoever has asked before. Where anyone may, a token that is over harms nobody. */
  #admit(route: Route, values: string[]) {
    const token = route.action!.permission === ANYONE ? undefined : tokenOf(this.req);
    const user = token === undefined ? undefined : this.#door.identify(token);
    if (!(user instanceof Promise)) return this.#allow(route, values, user);
    user.then((known) => this.#goOn(() => this.#allow(route, values, known))).catch((error) => this.fail(error));
  }

  /** Whether there is still enough of what he may ask. */
  #allow(route: Route, values: string[], user: User | undefined) {
    const refusal = this.#door.allowances.take(route, user, this.#client(), this.began);
    const act = (refused: Refusal | undefined) => (refused ? this.#refuseForNow(refused) : this.#act(route, values, user));
    if (!(refusal instanceof Promise)) return act(refusal);
    refusal.then((known) => this.#goOn(() => act(known))).catch((error) => this.fail(error));
  }

  /** After a wait: if there is still somebody. */
  #goOn(next: () => void) {
    if (isLost(this.req)) return this.#gone();
    next();
  }

  async #serve(route: Route): Promise<void> {
    try {
      await route.serve!(this);
    } catch (error) {
      this.fail(error);
    }
  }

  #act(route: Route, values: string[], user: User | undefined) {
    const params: Record<string, unknown> = {};
    const meta: Meta = {};
    if (user) {
      meta.user = user;
      this.user = user;
      this.course = { ...this.course, user: user.id };
    }
    if (route.method !== "GET") meta.from = this.#client();
    this.#door.admit(user, route.action!.permission);
    if (this.course.traceId !== this.course.requestId) meta.traceId = this.course.traceId;
    if (this.#query !== "") readQuery(this.#query, route.rules, params);
    if (route.http.csv && params.limit === undefined && wantsCsv(this.req.headers.accept)) params.limit = route.rules.limit?.max; // a table is wanted whole
    if (!route.takesBody) {
      if (route.method !== "GET") readConditions(this.req, route, meta);
      return this.#call(route, params, values, meta);
    }
    readConditions(this.req, route, meta);
    const done = (error: Error | undefined, body: Record<string, unknown>) => {
      if (error) return this.fail(error);
      try {
        this.#call(route, body, values, meta);
      } catch (failure) {
        this.fail(failure);
      }
    };
    readBody(this.req, done, () => this.#gone());
  }

  #call(route: Route, params: Record<string, unknown>, values: string[], meta: Meta) {
    for (let i = 0; i < values.length; i++) {
      const name = route.names[i]!;
      params[name] = fromSegment(values[i]!, route.rules[name]);
    }
    this.#called = true;
    const { session } = route.http;
    if (session === "goesOn" && params.refreshToken === undefined) this.#inCookies = this.#goesOn(params);
    else if (session === "begins") this.#inCookies = params.cookies === true;
    const call = () => this.#door.call(route.action!.name, params, { meta, requestID: this.course.requestId });
    courses.run(this.course, call).then(
      (answer) => this.#answer(route, answer),
      (error) => this.fail(error),
    );
  }

  #goesOn(params: Record<string, unknown>): boolean {
    const { cookie, "x-csrf-token": proof } = this.req.headers;
    params.refreshToken = refreshIn(cookie, proof);
    return params.refreshToken !== undefined;
  }

  #answer(route: Route, answered: unknown) {
    try {
      const cookies = this.#inCookies ? inCookies(answered as Granted) : undefined;
      const answer = cookies?.answer ?? answered;
      if (answer === undefined || answer === null) return this.send(204, [], "", 0);
      const { http } = route;
      const status = http.status ?? 200;
      if (http.csv && wantsCsv(this.req.headers.accept)) return this.#answerTable(route, answer);
      const rendering = render(answer, route.method === "GET");
      const headers = ["Content-Type", JSON_TYPE, "ETag", rendering.etag, "Cache-Control", cacheControl(route)];
      headers.push("Content-Security-Policy", NOTHING);
      if (route.action!.permission !== ANYONE) headers.push("Vary", "Authorization, Cookie"); // who asks is what he is shown
      if (http.csv) headers.push("Vary", "Accept");
      if (route.location) headers.push("Location", route.location(answer));
      if (cookies) headers.push(...cookies.headers);
      else if (http.session === "ends" && this.req.headers.authorization === undefined) headers.push(...noCookies());
      this.#deliver(status, headers, rendering);
    } catch (error) {
      this.fail(error);
    }
  }

  #answerTable(route: Route, answer: unknown) {
    const { items, next } = answer as { items: object[]; next?: string };
    const body = csvOf(items, columnsOf(route));
    const etag = tagOf(body);
    const headers = ["Content-Type", "text/csv; charset=utf-8; header=present", "ETag", etag, "Cache-Control", cacheControl(route)];
    if (next !== undefined) {
      const query = new URLSearchParams(this.#query);
      query.set("after", next);
      headers.push("Link", `<${this.path}?${query}>; rel="next"`);
    }
    headers.push(
      "Vary",
      "Accept, Authorization, Cookie",
      "Content-Disposition",
      `attachment; filename="${route.action!.name.split(".").slice(1).join("-")}.csv"`,
    );
    this.#deliver(200, headers, { body, bytes: Buffer.byteLength(body), etag });
  }

  /** A document that is no action's answer. */
  page(type: string, body: string, cache = "no-cache", status = 200) {
    const rendering = { body, bytes: Buffer.byteLength(body), etag: tagOf(body) };
    const headers = ["Content-Type", type, "ETag", rendering.etag, "Cache-Control", cache, "Content-Security-Policy", ONLY_OURS];
    this.#deliver(status, headers, rendering);
  }

  #deliver(status: number, headers: string[], { body, bytes, etag }: Rendering) {
    const { method } = this.req;
    const { "if-none-match": has, "accept-encoding": codings } = this.req.headers;
    if (has !== undefined && status === 200 && (method === "GET" || method === "HEAD") && isFresh(has, etag)) {
      return this.send(304, headers, "", 0);
    }
    if (bytes < WORTH_COMPRESSING) return this.send(status, headers, body, bytes);
    headers.push("Vary", "Accept-Encoding");
    const coding = codingFor(codings);
    if (!coding || method === "HEAD") return this.send(status, headers, body, bytes);
    compress(body, coding).then(
      (coded) => this.#sendCoded(status, headers, coded, coding, etag),
      (error) => this.fail(error),
    );
  }

  #sendCoded(status: number, headers: string[], coded: Buffer, coding: Coding, etag: string) {
    headers[headers.indexOf("ETag") + 1] = codedTag(etag, coding);
    headers.push("Content-Encoding", coding);
    this.send(status, headers, coded, coded.length);
  }

  #refuseForNow({ says, rate, burst, seconds }: Refusal) {
    const most = rate < 1 ? `${burst} times a day` : `${rate} times a second`;
    const error = new Rejected("RATE_LIMITED", `${says} may ask ${most}; try again in ${seconds} s`, 429);
    const policy = `"client";q=${burst};w=${rate < 1 ? 86_400 : 1}`;
    this.fail(error, ["Retry-After", String(seconds), "RateLimit-Policy", policy, "RateLimit", `"client";r=0;t=${seconds}`]);
  }

  fail(error: unknown, headers: string[] = []) {
    const problem = problemOf(error, this.course.requestId);
    if (problem.status === 500) this.#door.unexpected(error, this);
    if (!this.#called && !this.answered) this.#door.refused(this, problem);
    if (problem.status === 401) headers.push("WWW-Authenticate", 'Bearer realm="banyan"');
    const { retryAfter } = (problem.data ?? {}) as { retryAfter?: unknown };
    if (problem.status === 429 && Number.isInteger(retryAfter)) headers.push("Retry-After", String(retryAfter));
    if (problem.status === 503 && headers.length === 0) headers.push("Retry-After", "1");
    const body = JSON.stringify(problem);
    headers.push("Content-Type", "application/problem+json", "Cache-Control", "no-store", "Content-Security-Policy", NOTHING);
    this.send(problem.status, headers, body, Buffer.byteLength(body), problem.code);
  }

  /** Its client went away before it had said all. */
  #gone() {
    if (this.answered) return;
    this.answered = true;
    this.#door.done(this, GONE, 0);
  }

  /** Gives up on an answer that does not come. */
  expire() {
    this.fail(
      new Unavailable("REQUEST_TIMEOUT", "There was no answer in time; what was asked may have happened: repeat it under the same key"),
    );
  }

  send(status: number, headers: string[], body: string | Buffer, bytes: number, code?: string) {
    if (this.answered) return; // it had been given up before
    this.answered = true;
    const { req, res } = this;
    headers.push("X-Request-Id", this.course.requestId, ...HARDENING);
    if (status !== 304 && status !== 204) headers.push("Content-Length", String(bytes));
    if (this.#door.https) headers.push("Strict-Transport-Security", "max-age=31536000");
    if (this.#door.closing && !isHttp2(req)) headers.push("Connection", "close"); // HTTP/2 has a frame for it
    this.#door.cors?.(req, this.path, headers);
    if (!res.destroyed) {
      res.writeHead(status, headers);
      res.end(req.method === "HEAD" ? undefined : body);
      if (isHttp2(req) && !isWhole(req)) req.stream.close(); // the rest of a request that has its answer is not waited for
    }
    this.#door.done(this, status, bytes, code);
  }
}

const cacheControl = (route: Route) => route.http.cacheControl ?? (route.method === "GET" ? "private, no-cache" : "no-store");
