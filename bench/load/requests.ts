import { authorization } from "../credentials.ts";
import { type DealRequest, dealRequest, SEEDED, seedId } from "../deals.ts";
import type { Ask, Work } from "./plan.ts";

/** A request as it goes over the wire, and what its answer must be. */
export interface Request {
  bytes: Buffer;
  status: number;
  /** A piece of text that every right answer has. */
  marker: Buffer;
  /** What a right answer looks like when somebody reads it: some are. */
  right: (answer: Answer) => boolean;
}

export interface Answer {
  id?: string;
  status?: string;
  lines?: { product: string; quantity: string; sources: unknown[] }[];
  items?: { id: string; date: string; lines: number; amount: string }[];
}

const VARIETY = 2_000; // bodies to choose from

const bytes = (method: string, path: string, body = "") =>
  Buffer.from(
    `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: ${authorization}\r\nAccept: application/json\r\n${
      body && `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`
    }\r\n${body}`,
  );

const isDeal = ({ status, lines }: Answer, like: DealRequest) =>
  status === "open" &&
  lines?.length === like.lines.length &&
  lines.every(
    ({ product, quantity, sources }, i) =>
      product === like.lines[i]!.product && quantity === like.lines[i]!.quantity && sources.length === 1,
  );

const post = (deal: DealRequest): Request => ({
  bytes: bytes("POST", "/api/v1/deals", JSON.stringify(deal)),
  status: 201,
  marker: Buffer.from(`"saleParty":"${deal.saleParty}"`),
  right: (answer) => isDeal(answer, deal),
});

const read = ({ path, marker }: Ask): Request => ({
  ...{ bytes: bytes("GET", path), status: 200, marker: Buffer.from(marker) },
  right: (answer) => answer.items !== undefined || answer.lines !== undefined,
});

const get = (n: number): Request => ({
  bytes: bytes("GET", `/api/v1/deals/${seedId(n)}`),
  status: 200,
  marker: Buffer.from(`"id":"${seedId(n)}"`),
  right: (answer) => answer.id === seedId(n) && isDeal(answer, dealRequest(n, 3)),
});

const list: Request = {
  bytes: bytes("GET", "/api/v1/deals?limit=20&sort=-date"),
  status: 200,
  marker: Buffer.from('"items":['),
  right: ({ items }) =>
    items?.length === 20 &&
    items.every(({ id, lines }) => id.length > 0 && lines > 0) &&
    items.every(({ date }, i) => date <= items[Math.max(0, i - 1)]!.date),
};

const random = (n: number) => Math.floor(Math.random() * n);

/** A source of requests of this kind; the same bytes are made once. */
export const requestsOf = (work: Work): (() => Request) => {
  if (work.kind === "list") return () => list;
  if (work.kind === "ask") {
    const reads = work.asks.map(read);
    return () => reads[random(reads.length)]!;
  }
  if (work.kind === "post") {
    const all = work.deals.values();
    return () => post(all.next().value!);
  }
  if (work.kind === "create") {
    const creates = Array.from({ length: VARIETY }, (_, n) => post(dealRequest(n, work.lines)));
    return () => creates[random(VARIETY)]!;
  }
  const gets = Array.from({ length: Math.min(work.deals, SEEDED) }, (_, n) => get(n));
  if (work.kind === "get") return () => gets[random(gets.length)]!;
  const creates = Array.from({ length: VARIETY }, (_, n) => post(dealRequest(n, 3)));
  let turn = 0;
  return () => (++turn % 10 === 0 ? creates[random(VARIETY)]! : gets[random(gets.length)]!);
};
