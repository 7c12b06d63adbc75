import { createServer } from "node:http";

/** The limit: Node's own server that reads nothing, decides nothing and gives the same few bytes, as many as a deal has. */
const body = Buffer.from(process.env.BODY ?? "{}");
const headers = { "content-type": "application/json; charset=utf-8", "content-length": body.length };

createServer((_req, res) => res.writeHead(200, headers).end(body)).listen(
  Number(process.env.PORT ?? 3000),
  process.env.HOST ?? "127.0.0.1",
);
