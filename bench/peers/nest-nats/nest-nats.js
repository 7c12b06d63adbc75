import "reflect-metadata";
import { randomUUID } from "node:crypto";
import { Body, Controller, Get, Inject, Module, NotFoundException, Param, Post } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { ClientProxyFactory, ClientsModule, MessagePattern, Payload, RpcException, Transport } from "@nestjs/microservices";
import { MongoClient } from "mongodb";
import { firstValueFrom } from "rxjs";
import { makeRounds } from "../../remote/caller.ts";
import { findSummary } from "../../remote/summaries.ts";

/**
 * NestJS 11 as its documentation shows it: a microservice on NATS with a message pattern, a client proxy, and a gateway on
 * Express, its usual platform. Plain JavaScript, so the decorators are applied by hand; they do the same. Its logs are off.
 */
const transport = { transport: Transport.NATS, options: { servers: [process.env.TRANSPORTER] } };
const on = (type, method, ...decorators) => {
  for (const decorate of decorators) decorate(type.prototype, method, Object.getOwnPropertyDescriptor(type.prototype, method));
};

class EchoRoom {
  get({ id }) {
    const found = findSummary(id);
    if (!found) throw new RpcException("There is no such deal");
    return found;
  }
}
on(EchoRoom, "get", MessagePattern("nest.echo.get"));
Payload()(EchoRoom.prototype, "get", 0);
Controller()(EchoRoom);

/** Stores a deal as one document, and answers when a majority has it in their journals. */
class DealsRoom {
  constructor() {
    this.deals = new MongoClient(process.env.MONGO_URL, { maxPoolSize: 64 }).db("nest_deals").collection("deals");
  }

  async open(deal) {
    const lines = deal.lines.map((line, n) => ({ id: String(n + 1), warehouse: "main", kind: "goods", ...line }));
    const stored = { version: 1, status: "open", ...deal, lines };
    const id = deal.id ?? randomUUID();
    await this.deals.insertOne({ _id: id, ...stored }, { writeConcern: { w: "majority", journal: true } });
    return { id, ...stored };
  }

  async get({ id }) {
    const { _id, ...deal } = (await this.deals.findOne({ _id: id })) ?? {};
    if (!_id) throw new RpcException("There is no such deal");
    return { id, ...deal };
  }
}
on(DealsRoom, "open", MessagePattern("nest.deals.open"));
on(DealsRoom, "get", MessagePattern("nest.deals.get"));
Payload()(DealsRoom.prototype, "open", 0);
Payload()(DealsRoom.prototype, "get", 0);
Controller()(DealsRoom);

class EchoDoor {
  constructor(client) {
    this.client = client;
  }

  async get(id) {
    const found = await firstValueFrom(this.client.send("nest.echo.get", { id }));
    if (!found) throw new NotFoundException();
    return found;
  }

  open(deal) {
    return firstValueFrom(this.client.send("nest.deals.open", deal));
  }

  deal(id) {
    return firstValueFrom(this.client.send("nest.deals.get", { id }));
  }

  ready() {
    return { status: "ready" };
  }
}
on(EchoDoor, "open", Post("api/v1/deals"));
Body()(EchoDoor.prototype, "open", 0);
on(EchoDoor, "deal", Get("api/v1/deals/:id"));
Param("id")(EchoDoor.prototype, "deal", 0);
on(EchoDoor, "get", Get("api/v1/echo/:id"));
on(EchoDoor, "ready", Get("health/ready"));
Param("id")(EchoDoor.prototype, "get", 0);
Inject("ECHO")(EchoDoor, undefined, 0);
Controller()(EchoDoor);

class RoomModule {}
Module({ controllers: [EchoRoom] })(RoomModule);
class DealsModule {}
Module({ controllers: [DealsRoom] })(DealsModule);
class DoorModule {}
Module({ imports: [ClientsModule.register([{ name: "ECHO", ...transport }])], controllers: [EchoDoor] })(DoorModule);

const roles = {
  async room() {
    const app = await NestFactory.createMicroservice(RoomModule, { ...transport, logger: false });
    await app.listen();
    process.send({ ready: true });
  },
  async deals() {
    const app = await NestFactory.createMicroservice(DealsModule, { ...transport, logger: false });
    await app.listen();
    process.send({ ready: true });
  },
  async caller() {
    const client = ClientProxyFactory.create(transport);
    await client.connect();
    makeRounds((id) => firstValueFrom(client.send("nest.echo.get", { id })));
  },
  async gateway() {
    const app = await NestFactory.create(DoorModule, { logger: false });
    await app.listen(Number(process.env.PORT), process.env.HOST);
  },
};
await roles[process.argv[2]]();
process.on("disconnect", () => process.exit(0));
