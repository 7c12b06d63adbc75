import { setTimeout as delay } from "node:timers/promises";
import { Errors, type Transit, Transporters } from "moleculer";
import { connect, Events, type Msg, type NatsConnection } from "nats";
import { dependsOn } from "../runtime/health.ts";
import { natsOptions } from "./nats.options.ts";
import { busUnavailable } from "./remote.calls.ts";

type Packet = Parameters<Transporters.NATS["publish"]>[0];
type Payload = { sender?: unknown; services?: unknown; back?: boolean };

const NODE_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const MOST_KNOWN = 10_000;
const MOST_HELD = 50_000; // answers, while NATS is away
const SWEEP = 100; // milliseconds: so much later than it should may a call time out
const NOTICE = 300; // milliseconds until everybody has heard that this node leaves
const RETRY = 250;

/** What says nothing is not sent: it would be half of a small packet, and Moleculer reads it the same. */
const trim = (payload: Record<string, unknown>) => {
  for (const name of ["meta", "headers"]) if (isEmpty(payload[name])) payload[name] = undefined;
  if (payload.stream === false && payload.seq === undefined) payload.stream = undefined; // with a number it ends a stream
  for (const name of ["tracing", "parentID", "caller"]) if (payload[name] === null) payload[name] = undefined;
};

const isEmpty = (value: unknown): boolean => {
  for (const _ in value as object) return false;
  return true;
};

/**
 * Moleculer's calls over NATS, such that they fail as soon as it can be known that they do:
 * with NATS gone, all that are on their way and all that would be sent; with a node gone, all that were sent to it, since the
 * server says of a message that nobody listens; otherwise when their time is over, of which one timer looks after all.
 * Ids of nodes become part of subjects, so what a packet calls its sender is checked before anything is done with it.
 */
export class NatsTransporter extends Transporters.NATS {
  declare client: NatsConnection | null;
  declare messageHandler: (cmd: string, packet: Packet) => Promise<void>;
  readonly #address: string;
  readonly #topics = new Map<string, string>();
  readonly #replies = new Map<string, { reply: string }>();
  readonly #known = new Set<string>();
  #held: Packet[] = [];
  /** Calls of others that this node has taken and not answered. */
  #taken = 0;
  #leaving = false;
  /** It was away: what others had sent here and had no answer to is lost, and its next INFO tells them. */
  #back = false;
  #closing = false;
  #sweep?: NodeJS.Timeout;
  #forget = () => {};

  constructor(address: string) {
    super({});
    this.#address = address;
  }

  override async connect(): Promise<void> {
    const { namespace } = this.broker;
    const options = { ...natsOptions(this.#address, `${namespace} ${this.nodeID}`), noEcho: true }; // of its own packets a node has no need
    for (let told = false; !this.client; ) {
      try {
        this.client = await connect(options);
      } catch (error) {
        if (this.#closing) return;
        if (!told) this.logger.warn({ event: "nats-unreachable", servers: options.servers, reason: (error as Error).message });
        told = true;
        await delay(RETRY);
      }
    }
    void this.#watch(this.client);
    this.#forget = dependsOn("nats", () => {
      if (!this.connected) throw busUnavailable();
    });
    this.#sweep = setInterval(() => this.#expire(), SWEEP).unref();
    await this.onConnected(false);
  }

  override async disconnect(): Promise<void> {
    this.#closing = true;
    this.#forget();
    clearInterval(this.#sweep);
    if (this.connected) await Promise.race([this.client?.flush().catch(() => {}), delay(RETRY)]);
    this.connected = false;
    await this.client?.close();
    this.client = null;
  }

  /**
   * Takes this node out of discovery, and resolves when everybody has heard so and all calls that came are answered, at the
   * latest after `patience` milliseconds. Until it stops, the node goes on serving whatever reaches it.
   */
  async leave(patience: number): Promise<void> {
    const until = performance.now() + patience;
    this.#leaving = true;
    this.broker.registry.regenerateLocalRawInfo(true, true);
    await this.broker.registry.discoverer.sendLocalNodeInfo();
    await delay(Math.min(NOTICE, patience));
    while (this.#taken > 0 && performance.now() < until) await delay(10);
  }

  override async subscribe(cmd: string, nodeID?: string): Promise<void> {
    const topic = this.getTopicName(cmd, nodeID);
    this.client!.subscribe(topic, { callback: (_, msg) => this.receive(cmd, msg.data as Buffer) });
    if (cmd === "RES") this.client!.subscribe(`${topic}.*`, { callback: (_, msg) => this.#unheard(msg) });
  }

  override getTopicName(cmd: string, nodeID = ""): string {
    const key = `${cmd}.${nodeID}`;
    let topic = this.#topics.get(key);
    if (topic === undefined) {
      if (nodeID !== "" && !NODE_ID.test(nodeID)) throw new Errors.MoleculerError(`"${nodeID}" is no id of a node`, 500, "INTERNAL_ERROR");
      topic = super.getTopicName(cmd, nodeID);
      if (this.#topics.size < MOST_KNOWN) this.#topics.set(key, topic);
    }
    return topic;
  }

  override incomingMessage(cmd: string, data?: Buffer): Promise<void> {
    let packet: Packet;
    try {
      packet = this.deserialize(cmd, data!);
    } catch {
      this.#refuse(cmd, "is not JSON");
      return Promise.resolve();
    }
    if (!this.#isNode((packet.payload as Payload | null)?.sender)) {
      this.#refuse(cmd, "names no sender that could be a node");
      return Promise.resolve();
    }
    if (cmd === "REQ") this.#taken++;
    else if (cmd === "INFO" && (packet.payload as Payload).back) this.transit.removePendingRequestByNodeID(packet.payload.sender);
    return this.messageHandler(cmd, packet);
  }

  override prepublish(packet: Packet): Promise<void> {
    const { type } = packet;
    if (type === "RES") {
      this.#taken--;
      if (!this.connected) return this.#hold(packet);
    } else if (type === "INFO") {
      if (this.#leaving) (packet.payload as Payload).services = []; // whatever changes here meanwhile: nobody is to come back
      if (this.#back && !packet.target) (packet.payload as Payload).back = true;
      if (!packet.target) this.#back = false;
    }
    return super.prepublish(packet);
  }

  override publish(packet: Packet): Promise<void> {
    const { type, target } = packet;
    const options = type === "REQ" ? this.#replyFor(target!) : undefined;
    this.client?.publish(this.getTopicName(type, target), this.serialize(packet), options);
    return Promise.resolve();
  }

  override serialize({ type, payload }: Packet): Buffer {
    if (type === "REQ" || type === "RES") trim(payload);
    return super.serialize({ type, payload } as Packet);
  }

  override deserialize(type: string, data: Uint8Array): Packet {
    const text = Buffer.from(data.buffer, data.byteOffset, data.length).toString();
    return { type, target: null, payload: JSON.parse(text) } as unknown as Packet;
  }

  /** Where the server says so when nobody listens at a node's subject. */
  #replyFor(target: string) {
    let options = this.#replies.get(target);
    if (!options) {
      options = { reply: `${this.getTopicName("RES", this.nodeID)}.${target}` };
      this.#replies.set(target, options);
    }
    return options;
  }

  #unheard({ data, headers, subject }: Msg) {
    if (data.length > 0 || headers?.code !== 503) return;
    const target = subject.slice(subject.lastIndexOf(".") + 1);
    this.broker.registry.discoverer.remoteNodeDisconnected(target, true); // fails what was sent to it; if it lives, it will tell
  }

  async #watch(client: NatsConnection) {
    for await (const { type } of client.status()) {
      if (type === Events.Disconnect) this.#lost();
      else if (type === Events.Reconnect) this.#return();
    }
  }

  #lost() {
    if (!this.connected) return;
    this.connected = false;
    if (this.#closing) return;
    this.logger.warn({ event: "nats-lost" });
    this.broker.broadcastLocal("$transporter.disconnected", { graceFul: false }); // nobody's heartbeat is missed meanwhile
    const { pendingRequests } = this.transit;
    for (const [id, { reject }] of pendingRequests) {
      pendingRequests.delete(id);
      reject(busUnavailable());
    }
  }

  #return() {
    this.logger.warn({ event: "nats-back" });
    this.connected = true;
    this.#back = true;
    const held = this.#held;
    this.#held = [];
    for (const packet of held) this.publish(packet);
    void this.onConnected(true);
  }

  #hold(packet: Packet): Promise<void> {
    if (this.#held.length < MOST_HELD) this.#held.push(packet);
    return Promise.resolve();
  }

  #expire() {
    const now = process.hrtime();
    for (const [id, request] of this.transit.pendingRequests as Map<string, Transit.TransitRequest & { action: { name: string } }>) {
      const { ctx, action, nodeID, reject } = request;
      const { timeout } = ctx.options;
      if (!timeout || !ctx.startHrTime) continue;
      const [seconds, nanos] = ctx.startHrTime;
      if ((now[0] - seconds) * 1e3 + (now[1] - nanos) / 1e6 < timeout) continue;
      this.transit.removePendingRequest(id);
      reject(new Errors.RequestTimeoutError({ action: action.name, nodeID }));
    }
  }

  #isNode(sender: unknown): boolean {
    if (this.#known.has(sender as string)) return true;
    if (typeof sender !== "string" || !NODE_ID.test(sender)) return false;
    if (this.#known.size < MOST_KNOWN) this.#known.add(sender);
    return true;
  }

  #refuse(cmd: string, why: string) {
    this.logger.warn({ event: "packet-refused", packet: cmd, reason: `It ${why}` });
  }
}
