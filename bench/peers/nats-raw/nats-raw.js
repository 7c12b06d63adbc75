import { createServer } from "node:http";
import { connect, JSONCodec } from "nats";
import { makeRounds } from "../../remote/caller.ts";
import { findSummary } from "../../remote/summaries.ts";

/** The limit: request and reply of the `nats` client on its one shared inbox, JSON on both sides and nothing else; node:http before it. */
const json = JSONCodec();
const nats = await connect({ servers: process.env.TRANSPORTER, noAsyncTraces: true });
const ask = (id) => nats.request("raw.echo.get", json.encode({ id }), { timeout: 10_000 });

const roles = {
  room() {
    nats.subscribe("raw.echo.get", { callback: (_, msg) => msg.respond(json.encode(findSummary(json.decode(msg.data).id))) });
    process.send({ ready: true });
  },
  caller: () => makeRounds(async (id) => json.decode((await ask(id)).data)),
  gateway() {
    const answer = async (req, res) => {
      if (req.url === "/health/ready") return res.end();
      const { data } = await ask(req.url.slice(req.url.lastIndexOf("/") + 1));
      res.writeHead(200, { "content-type": "application/json; charset=utf-8", "content-length": data.length }).end(data);
    };
    createServer(answer).listen(Number(process.env.PORT), process.env.HOST);
  },
};
roles[process.argv[2]]();
process.on("disconnect", () => process.exit(0));
