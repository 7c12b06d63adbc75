import Ajv from "ajv";
import express from "express";
import { rateLimit } from "express-rate-limit";
import helmet from "helmet";
import { pinoHttp } from "pino-http";
import { createDeal, findDeal, listDeals, seed } from "./store.js";

/** The best that a monolith can do and still be Express: compiled checks, prepared statements, JSON made by SQLite, lean logs. */
const id = { type: "string", pattern: "^[A-Za-z0-9][A-Za-z0-9_~-]{0,63}$" };
const decimal = { type: "string", pattern: "^\\d{1,12}(\\.\\d{1,4})?$" };
const object = (required, properties) => ({ type: "object", required, properties, additionalProperties: false });
const source = object(["supplier", "quantity", "cost"], { supplier: id, quantity: decimal, cost: decimal });
const line = object(["product", "quantity", "rate"], {
  product: id,
  warehouse: { ...id, default: "main" },
  kind: { enum: ["goods", "service"], default: "goods" },
  quantity: decimal,
  rate: decimal,
  sources: { type: "array", maxItems: 100, items: source, default: [] },
});
const ajv = new Ajv({ useDefaults: true, removeAdditional: true });
const isDeal = ajv.compile(
  object(["saleParty", "currency", "lines"], {
    id,
    saleParty: id,
    country: { type: "string", maxLength: 60 },
    currency: { type: "string", pattern: "^[A-Z]{3}$" },
    date: { type: "string", pattern: "^\\d{4}-\\d\\d-\\d\\d$" },
    lines: { type: "array", minItems: 1, maxItems: 2_000, items: line },
  }),
);
const isId = new RegExp(id.pattern);

const app = express();
app.disable("x-powered-by");
app.set("etag", false); // hashing every answer costs more than making it
app.use(
  pinoHttp({
    level: process.env.LOG_LEVEL ?? "info",
    serializers: { req: ({ id, method, url }) => ({ id, method, url }), res: ({ statusCode }) => ({ statusCode }) },
  }),
);
app.use(helmet());
app.get("/health/ready", (_req, res) => res.json({ status: "ready" }));
app.use(rateLimit({ windowMs: 60_000, limit: Number(process.env.RATE_LIMIT ?? 600), standardHeaders: true, legacyHeaders: false }));
app.use(express.json({ limit: "1mb" }));

const answer = (res, json) => res.setHeader("content-type", "application/json; charset=utf-8").end(json);
const refuse = (res, status, code, errors) => res.status(status).json({ code, errors });

app.post("/api/v1/deals", (req, res) => {
  const deal = req.body;
  if (!isDeal(deal)) return refuse(res, 422, "VALIDATION_ERROR", isDeal.errors);
  deal.date ??= new Date().toISOString().slice(0, 10);
  const created = createDeal(deal);
  res.status(201).setHeader("location", `/api/v1/deals/${created.id}`);
  answer(res, JSON.stringify(created));
});

app.get("/api/v1/deals/:id", (req, res) => {
  const found = isId.test(req.params.id) && findDeal(req.params.id);
  return found ? answer(res, found) : refuse(res, 404, "DEAL_NOT_FOUND");
});

app.get("/api/v1/deals", (req, res) => {
  const { limit = 50, sort = "-date", status, party } = req.query;
  if (!(limit >= 1 && limit <= 200) || !["date", "-date"].includes(sort)) return refuse(res, 422, "VALIDATION_ERROR");
  answer(res, listDeals({ limit: Number(limit), sort, ...(status && { status }), ...(party && { sale_party: party }) }));
});

app.use((error, req, res, _next) => {
  if (error.code?.startsWith("SQLITE_CONSTRAINT")) return refuse(res, 409, "DEAL_EXISTS");
  req.log.error(error);
  refuse(res, error.status ?? 500, "ERROR");
});

seed(Number(process.env.SEED ?? 0));
app.listen(Number(process.env.PORT ?? 3000), process.env.HOST ?? "127.0.0.1");
