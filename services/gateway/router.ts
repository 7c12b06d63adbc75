import type { Exchange } from "./exchange.ts";
import { type Rule, rulesOf } from "./rules.ts";

/** How an action shows itself over HTTP, beside its `rest`. Plain data, for it comes from other nodes too. */
export interface HttpOptions {
  /** Of a good answer: 201 for a creation. */
  status?: number;
  /** Where what was created is to be had: `/api/v1/deals/{id}`, `{id}` being a field of the answer. */
  location?: string;
  /** The answer's items as a table for whoever accepts text/csv. */
  csv?: boolean;
  cacheControl?: string;
  /** How many requests a second one user, or one address where nobody is known, may make here. */
  rate?: number;
  /** It takes back what somebody else may be using up: no user's limit or quota counts here. */
  remedy?: boolean;
  /** What it makes of a login in a browser's cookies (see `cookies.ts`). */
  session?: "begins" | "goesOn" | "ends";
  /** A write must name the version that its caller has seen. */
  ifMatch?: "required";
}

/** An action as the registry tells it. */
export interface PublishedAction {
  name: string;
  params?: object;
  returns?: object;
  http?: HttpOptions;
  description?: string;
  /** What its caller must have (see `mixins/core/policy.ts`). */
  permission?: string;
}

/** All that is known of an endpoint before a request comes. */
export interface Route {
  method: string;
  path: string;
  /** Names of the parameters in the path, in order. */
  names: string[];
  rules: Record<string, Rule>;
  http: HttpOptions;
  location?: (answer: object) => string;
  /** Whether its parameters come in a body; in the query otherwise. */
  takesBody: boolean;
  action?: PublishedAction;
  /** Answers itself, for what is no action. */
  serve?: (exchange: Exchange) => void | Promise<void>;
}

interface Branch {
  fixed: Map<string, Branch>;
  any?: Branch;
  routes: Map<string, Route>;
}

const branch = (): Branch => ({ fixed: new Map(), routes: new Map() });

/** Finds the route of a path by its segments; a fixed segment goes before a parameter. */
export class Router {
  readonly routes: Route[] = [];
  readonly #root = branch();

  add(method: string, path: string, rest: { action?: PublishedAction; serve?: Route["serve"] }): void {
    const names: string[] = [];
    let at = this.#root;
    for (const segment of path.split("/").slice(1)) {
      if (segment.startsWith(":")) {
        names.push(segment.slice(1));
        at.any ??= branch();
        at = at.any;
      } else {
        const next = at.fixed.get(segment) ?? branch();
        at.fixed.set(segment, next);
        at = next;
      }
    }
    const takesBody = method === "POST" || method === "PUT" || method === "PATCH";
    const http = rest.action?.http ?? {};
    const location = http.location ? locationOf(http.location) : undefined;
    const route = { method, path, names, takesBody, rules: rulesOf(rest.action?.params), http, location, ...rest };
    at.routes.set(method, route);
    this.routes.push(route);
  }

  /** The route; `values` is given the texts of its parameters, as they stand in the path. */
  find(method: string, path: string, values: string[]): Route | undefined {
    return search(this.#root, method, path, 1, values);
  }

  /** The methods that the path takes; none where there is no such path. */
  methods(path: string): string[] {
    const found = ["GET", "POST", "PUT", "PATCH", "DELETE"].filter((method) => this.find(method, path, []));
    return found.includes("GET") ? ["HEAD", ...found] : found;
  }
}

const search = (at: Branch, method: string, path: string, from: number, values: string[]): Route | undefined => {
  if (from > path.length) return at.routes.get(method);
  const slash = path.indexOf("/", from);
  const end = slash < 0 ? path.length : slash;
  const segment = path.slice(from, end);
  const fixed = at.fixed.get(segment);
  const found = fixed && search(fixed, method, path, end + 1, values);
  if (found || !at.any || segment === "") return found;
  values.push(segment);
  const by = search(at.any, method, path, end + 1, values);
  if (!by) values.pop();
  return by;
};

/** Fills `{id}` in `/api/v1/deals/{id}` with the answer's own. */
const locationOf = (template: string) => {
  const [, before = template, field = "", after = ""] = /^(.*)\{(\w+)\}(.*)$/.exec(template) ?? [];
  return (answer: object) => before + encodeURIComponent(String((answer as Record<string, unknown>)[field] ?? "")) + after;
};
