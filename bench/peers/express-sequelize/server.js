import express from "express";
import { rateLimit } from "express-rate-limit";
import helmet from "helmet";
import { pinoHttp } from "pino-http";
import { z } from "zod";
import { Deal, Line, Source, sequelize } from "./models.js";
import { seed } from "./seed.js";

/** The usual monolith, as a team that knows its tools writes it in a week. */
const decimal = z.string().regex(/^\d{1,12}(\.\d{1,4})?$/);
const id = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_~-]{0,63}$/);
const newDeal = z.object({
  id: id.optional(),
  saleParty: id,
  country: z.string().max(60).optional(),
  currency: z.string().regex(/^[A-Z]{3}$/),
  date: z.iso.date().default(() => new Date().toISOString().slice(0, 10)),
  lines: z
    .array(
      z.object({
        product: id,
        warehouse: id.default("main"),
        kind: z.enum(["goods", "service"]).default("goods"),
        quantity: decimal,
        rate: decimal,
        sources: z
          .array(z.object({ supplier: id, quantity: decimal, cost: decimal }))
          .max(100)
          .default([]),
      }),
    )
    .min(1)
    .max(2_000),
});
const page = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  sort: z.enum(["date", "-date"]).default("-date"),
  status: z.string().optional(),
  party: id.optional(),
});

const include = [{ model: Line, as: "lines", include: [{ model: Source, as: "sources" }] }];
const order = [
  [{ model: Line, as: "lines" }, "position", "ASC"],
  [{ model: Line, as: "lines" }, { model: Source, as: "sources" }, "id", "ASC"],
];

/**
 * SQLite takes one writer, and Sequelize gives each transaction a connection of its own: two at a time would wait for each
 * other on this thread until one fails with SQLITE_BUSY. So transactions go one after the other.
 */
let last = Promise.resolve();
const transaction = (work) => {
  const mine = last.then(() => sequelize.transaction(work));
  last = mine.catch(() => {});
  return mine;
};

const amountOf = ({ quantity, rate }) => String(Number((Number(quantity) * Number(rate)).toFixed(4)));

const summaryOf = (deal) => ({
  id: deal.id,
  version: deal.version,
  status: deal.status,
  saleParty: deal.saleParty,
  country: deal.country,
  currency: deal.currency,
  date: deal.date,
  lines: deal.lines.length,
  amount: String(Number(deal.lines.reduce((sum, line) => sum + Number(line.amount), 0).toFixed(4))),
});

const dealToJson = (deal) => ({
  ...summaryOf(deal),
  lines: deal.lines.map((line) => ({
    id: String(line.position + 1),
    product: line.product,
    warehouse: line.warehouse,
    kind: line.kind,
    quantity: line.quantity,
    rate: line.rate,
    sources: line.sources.map(({ supplier, quantity, cost }) => ({ supplier, quantity, cost })),
    amount: line.amount,
  })),
  returns: [],
  notes: [],
});

const app = express();
app.disable("x-powered-by");
app.use(pinoHttp({ level: process.env.LOG_LEVEL ?? "info" }));
app.use(helmet());
app.get("/health/ready", (_req, res) => res.json({ status: "ready" }));
app.use(rateLimit({ windowMs: 60_000, limit: Number(process.env.RATE_LIMIT ?? 600), standardHeaders: true, legacyHeaders: false }));
app.use(express.json({ limit: "1mb" }));

app.post("/api/v1/deals", async (req, res) => {
  const { lines, ...fields } = newDeal.parse(req.body);
  const rows = lines.map((line, position) => ({ ...line, position, amount: amountOf(line) }));
  const deal = await transaction((t) => Deal.create({ ...fields, lines: rows }, { include, transaction: t }));
  res.status(201).location(`/api/v1/deals/${deal.id}`).json(dealToJson(deal));
});

app.get("/api/v1/deals/:id", async (req, res) => {
  const deal = await Deal.findByPk(id.parse(req.params.id), { include, order });
  if (!deal) return res.status(404).json({ code: "DEAL_NOT_FOUND" });
  res.json(dealToJson(deal));
});

app.get("/api/v1/deals", async (req, res) => {
  const { limit, sort, status, party } = page.parse(req.query);
  const direction = sort === "date" ? "ASC" : "DESC";
  const { rows: deals, count } = await Deal.findAndCountAll({
    where: { ...(status && { status }), ...(party && { saleParty: party }) },
    include,
    distinct: true,
    order: [
      ["date", direction],
      ["id", direction],
    ],
    limit,
  });
  res.json({ items: deals.map(summaryOf), total: count, next: deals.length === limit ? deals.at(-1).id : null });
});

app.use((error, req, res, _next) => {
  if (error instanceof z.ZodError) return res.status(422).json({ code: "VALIDATION_ERROR", errors: error.issues });
  if (error.name === "SequelizeUniqueConstraintError") return res.status(409).json({ code: "DEAL_EXISTS" });
  req.log.error(error);
  res.status(error.status ?? 500).json({ code: "ERROR" });
});

await sequelize.sync();
await seed(Number(process.env.SEED ?? 0));
app.listen(Number(process.env.PORT ?? 3000), process.env.HOST ?? "127.0.0.1");
