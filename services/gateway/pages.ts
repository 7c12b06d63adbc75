import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ServiceBroker } from "moleculer";
import { Rejected } from "../../mixins/core/errors.ts";
import { METRICS_TYPE, reporterOf } from "../../mixins/runtime/metrics.ts";
import { readinessOf, roomsHere } from "../../mixins/runtime/readiness.ts";
import type { Door } from "./door.ts";
import type { Exchange } from "./exchange.ts";
import { openApiOf } from "./openapi.ts";
import type { Router } from "./router.ts";

const HOUSE = join(import.meta.dirname, "../..");
const file = (name: string) => readFileSync(join(import.meta.dirname, "pages", name), "utf8");
const JSON_TYPE = "application/json; charset=utf-8";
const HTML = "text/html; charset=utf-8";

/** What the gateway shows of itself: the way in, the documents of the API, health and figures. */
export const addPages = (router: Router, door: Door, broker: ServiceBroker): void => {
  const page = (path: string, serve: (exchange: Exchange) => void | Promise<void>) => router.add("GET", path, { serve });
  const fixed = (path: string, type: string, read: () => string) => {
    let text: string | undefined;
    page(path, (exchange) => {
      text ??= read();
      exchange.page(type, text);
    });
  };
  page("/", (exchange) =>
    exchange.page(HTML, homePage(broker, exchange.req.headers.host ?? String(exchange.req.headers[":authority"] ?? "localhost"))),
  );
  fixed("/openapi.json", JSON_TYPE, () => JSON.stringify(openApiOf(router.routes)));
  fixed("/docs", HTML, () => file("docs.html"));
  fixed("/docs/docs.js", "text/javascript; charset=utf-8", () => file("docs.js"));
  fixed("/docs/style.css", "text/css; charset=utf-8", () => file("style.css"));
  fixed("/welcome", HTML, () => file("welcome.html"));
  fixed("/welcome/welcome.js", "text/javascript; charset=utf-8", () => file("welcome.js"));
  page("/.well-known/jwks.json", async (exchange) => {
    const keys = await broker.call("v1.auth.keys", {});
    exchange.page("application/jwk-set+json", JSON.stringify(keys), "public, max-age=60");
  });
  fixed("/docs/errors", HTML, () => errorsPage(readFileSync(join(HOUSE, "docs/errors.md"), "utf8")));
  page("/health/live", (exchange) => exchange.page(JSON_TYPE, '{"live":true}', "no-store"));
  page("/health/ready", async (exchange) => {
    const readiness = await readinessOf(broker, door.closing);
    exchange.page(JSON_TYPE, JSON.stringify(readiness), "no-store", readiness.ready ? 200 : 503);
  });
  addFigures(door, broker);
  page("/metrics", async (exchange) => exchange.page(METRICS_TYPE, await metricsText(broker), "no-store"));
};

const ANSWERS = "http.answers.total";
const OPEN = "http.requests.open";

/** What only the door can tell: brought up to date whenever somebody asks for the figures, here or at the status port. */
const addFigures = (door: Door, broker: ServiceBroker) => {
  const { metrics } = broker;
  reporterOf(broker)?.gather("door", () => {
    if (!metrics.hasMetric(ANSWERS)) {
      metrics.register({ name: ANSWERS, type: "counter", labelNames: ["status"], description: "Answers, by status" });
      metrics.register({ name: OPEN, type: "gauge", description: "Requests that are not answered yet" });
    }
    for (const [status, count] of door.answered) metrics.set(ANSWERS, count, { status: String(status) });
    metrics.set(OPEN, door.open.size);
    return [];
  });
};

const metricsText = (broker: ServiceBroker): Promise<string> => {
  const reporter = reporterOf(broker);
  if (!reporter) throw new Rejected("ROUTE_NOT_FOUND", "Metrics are off here", 404);
  return reporter.text();
};

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

const homePage = (broker: ServiceBroker, host: string): string => {
  const rooms = roomsHere(broker).filter((room) => room !== "gateway");
  const list = rooms.map((room) => `<li><a href="/docs#${escaped(room)}">${escaped(room)}</a></li>`).join("");
  return file("home.html")
    .replace("{{rooms}}", list || "<li>none but this door</li>")
    .replace("{{node}}", escaped(broker.nodeID))
    .replace("{{host}}", escaped(host));
};

/** The rows of the table in docs/errors.md, each under an anchor of its code: an error's `type` leads here. */
const errorsPage = (markdown: string): string => {
  const cells = (line: string) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => escaped(cell.trim()).replace(/`([^`]*)`/g, "<code>$1</code>"));
  const rows = markdown
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => {
      const code = /`(\w+)`/.exec(line)?.[1] ?? "";
      return `<tr id="${code}">${cells(line)
        .map((cell) => `<td>${cell}</td>`)
        .join("")}</tr>`;
    });
  return file("errors.html").replace("{{rows}}", rows.join("\n"));
};
