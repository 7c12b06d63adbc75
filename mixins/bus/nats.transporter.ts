import { setTimeout as delay } from "node:timers/promises";
import { Errors, Transporters } from "moleculer";
import { connect, Events, type Msg, type NatsConnection } from "nats";
import { Rejected } from "../core/errors.ts";
import { dependsOn } from "../runtime/health.ts";
import { type Caller, EVERYBODY, nodeName, nodeToken } from "../trust/node-identity.ts";
import { Bundles, HEAD } from "./bundles.ts";
import { Callers, hasRoomFor, isAsked, mayTell, proving, servicesOf } from "./callers.ts";
import { natsOptions } from "./nats.options.ts";
import { isNodeId, isPayload, type Packet, type Payload, trim } from "./packets.ts";
import { PendingCalls } from "./pending.calls.ts";
import { busUnavailable } from "./remote.calls.ts";

const MOST_KNOWN = 10_000;
const MOST_HELD = 50_000; // answers, while NATS is away
const NOTICE = 300; // milliseconds until everybody has heard that this node leaves
const RETRY = 250;

/**
 * Moleculer's calls over NATS, such that they fail as soon as it can be known that they do:
 * with NATS gone, all that are on their way and all that would be sent; with a node gone, all that were sent to it, since the
 * server says of a message that nobody listens; otherwise when their time is over.
 */
export class NatsTransporter extends Transporters.NATS {
  declare client: NatsConnection | null;
  declare messageHandler: (cmd: string, packet: Packet) => Promise<void>;
  readonly #address: string;
  readonly #topics = new Map<string, string>();
  readonly #replies = new Map<string, string>();
  readonly #bundles = new Bundles(
    (topic, data, reply) => {
      if (this.client && !this.client.isClosed()) this.client.publish(topic, data, reply === undefined ? undefined : { reply });
    },
    (target, topic, body) =>
      target === undefined ? nodeToken(this.nodeID, EVERYBODY, Date.now(), `${topic} ${body}`) : nodeToken(this.nodeID, target),
  );
  #callers!: Callers;
  #pending?: PendingCalls;
  #held: Packet[] = [];
  /** Calls of others that this node has taken and not answered. */
  #taken = 0;
  #leaving = false;
  #closing = false;
  /** Packets that were refused and are not told yet. */
  #refused = 0;
  /** It was away, and its next INFO says so. */
  #back = false;
  #forget = () => {};

  constructor(address: string) {
    super({});
    this.#address = address;
  }

  override async connect(): Promise<void> {
    this.#callers = new Callers(this.broker);
    this.#forget = dependsOn("nats", () => {
      if (!this.connected) throw busUnavailable();
    });
    this.#pending = new PendingCalls(this.transit);
    await this.#open();
  }

  override async disconnect(): Promise<void> {
    this.#closing = true;
    this.#forget();
    this.#pending?.close();
    this.#bundles.flush();
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
    this.client!.subscribe(`${topic}.*`, { callback: (_, msg) => this.#hear(cmd, msg) });
  }

  /** The last word of a subject is who speaks, which NATS can hold him to; of an empty answer it is the node at whose subject nobody listens. */
  #hear(cmd: string, msg: Msg) {
    if (msg.data.length === 0) return cmd === "RES" ? this.#unheard(msg) : undefined;
    void this.incomingMessage(cmd, msg.data, msg.subject);
  }

  override getTopicName(cmd: string, nodeID?: string | null): string {
    const key = nodeID ? `${cmd}.${nodeID}` : cmd; // Moleculer says null, undefined or nothing where it means everybody
    let topic = this.#topics.get(key);
    if (topic === undefined) {
      if (nodeID && !isNodeId(nodeID)) throw new Errors.MoleculerError(`"${nodeID}" is no id of a node`, 500, "INTERNAL_ERROR");
      topic = super.getTopicName(cmd);
      if (nodeID) topic += `.${nodeName(nodeID)}.${nodeID}`;
      if (this.#topics.size < MOST_KNOWN) this.#topics.set(key, topic);
    }
    return topic;
  }

  /** Who speaks, and his packets. */
  override async incomingMessage(cmd: string, data?: Uint8Array, subject = ""): Promise<void> {
    const text = Buffer.from(data!.buffer, data!.byteOffset, data!.length).toString();
    let told: unknown;
    try {
      told = JSON.parse(text);
    } catch {}
    if (!Array.isArray(told)) return this.#refuse(cmd, "it is none of ours");
    const caller = this.#callers.who(told[0], () => `${subject} ${text.slice((told[0] as string).length + 4, -1)}`);
    if (!caller || nodeName(caller.node) !== subject.slice(subject.lastIndexOf(".") + 1))
      return this.#refuse(cmd, "nobody knows its sender");
    for (let i = 1; i < told.length; i++) void this.#take(cmd, told[i], caller);
  }

  #refuse(packet: string, reason: string) {
    if (this.#refused++ === 0) setTimeout(() => this.#tellRefused(packet, reason), 1_000).unref(); // whoever sends many does not fill the log
  }

  #tellRefused(packet: string, reason: string) {
    this.logger.warn({ event: "packet-refused", packet, reason, times: this.#refused });
    this.#refused = 0;
  }

  #take(cmd: string, payload: unknown, caller: Caller): Promise<void> | undefined {
    if (!isPayload(payload) || payload.sender !== caller.node)
      return void this.#refuse(cmd, "its sender is somebody else, or can be no node");
    if (cmd === "RES" && !isAsked(this.transit, payload, caller)) return void this.#refuse(cmd, "somebody else was asked");
    if (cmd === "EVENT" && !mayTell(payload, caller)) return void this.#refuse(cmd, "its sender does not run the room that it is about");
    if (cmd === "INFO") {
      if (!hasRoomFor(this.broker, caller)) return void this.#refuse(cmd, "there are too many nodes of this name");
      payload.services = servicesOf(payload.services, caller);
      if (payload.back) this.transit.removePendingRequestByNodeID(payload.sender);
    } else if (cmd === "RES")
      payload.meta = undefined; // an answer is what was asked for, and changes nothing of who asks
    else if (cmd === "REQ") {
      this.#taken++;
      const admitted = this.#callers.admit(payload, caller);
      if (admitted) return admitted.then((refusal) => this.#handle(cmd, payload, refusal));
    }
    return this.#handle(cmd, payload);
  }

  #handle(cmd: string, payload: Payload & { sender: string }, refusal?: Error): Promise<void> | undefined {
    if (refusal) return void this.transit.sendResponse(payload.sender, payload.id as string, {}, {}, undefined as never, refusal);
    return this.messageHandler(cmd, { type: cmd, target: null, payload } as unknown as Packet);
  }

  override prepublish(packet: Packet): Promise<void> {
    const { type, target } = packet;
    if (type === "RES") {
      this.#taken--;
      if (!this.connected) return this.#hold(packet);
    } else if (type === "INFO") {
      const payload = packet.payload as Payload;
      if (this.#leaving) payload.services = []; // whatever changes here meanwhile: nobody is to come back
      if (!target) {
        if (this.#back) payload.back = true;
        this.#back = false;
      }
    }
    return super.prepublish(packet);
  }

  override publish(packet: Packet): Promise<void> {
    const { type, target } = packet;
    const isCall = type === "REQ" || type === "RES";
    try {
      const topic = `${this.getTopicName(type, target)}.${nodeName(this.nodeID)}`;
      if (type === "REQ") packet.payload.meta = proving(packet.payload.meta);
      else if (type === "RES") packet.payload.meta = undefined;
      if (isCall) trim(packet.payload);
      let text = this.#write(packet);
      if (text.length > this.#most / 3 && Buffer.byteLength(text) > this.#most) text = this.#write(this.#instead(packet));
      if (!isCall) this.#bundles.flush(); // what tells of a node keeps its place among the calls
      this.#bundles.put(
        topic,
        text,
        target ?? undefined,
        target && (type === "REQ" || type === "PING") ? this.#replyFor(target) : undefined,
      );
    } catch (error) {
      return Promise.reject(error);
    }
    return Promise.resolve();
  }

  #write({ payload }: Packet): string {
    payload.ver = this.broker.PROTOCOL_VERSION;
    payload.sender = this.nodeID;
    return JSON.stringify(payload);
  }

  /** How many bytes of packets the server takes in one message. */
  get #most(): number {
    return (this.client?.info?.max_payload ?? Number.POSITIVE_INFINITY) - HEAD;
  }

  /** What is sent in place of an answer that is too large. Throws where it is something else. */
  #instead({ type, target, payload }: Packet): Packet {
    if (type !== "RES") throw new Rejected("CALL_TOO_LARGE", `A call to another node may have ${this.#most} bytes`, 413);
    const refusal = new Rejected("ANSWER_TOO_LARGE", `The answer is larger than the ${this.#most} bytes that go from node to node`, 413);
    const error = this.transit._createPayloadErrorField(refusal, payload);
    return { type, target, payload: { id: payload.id, success: false, error } } as unknown as Packet;
  }

  /** Where the server says so when nobody listens at a node's subject. */
  #replyFor(target: string): string {
    let reply = this.#replies.get(target);
    if (reply === undefined) {
      reply = `${this.getTopicName("RES", this.nodeID)}.${target}`;
      if (this.#replies.size < MOST_KNOWN) this.#replies.set(target, reply);
    }
    return reply;
  }

  #unheard({ data, headers, subject }: Msg) {
    if (data.length > 0 || headers?.code !== 503) return;
    const target = subject.slice(subject.lastIndexOf(".") + 1);
    this.broker.registry.discoverer.remoteNodeDisconnected(target, true); // fails what was sent to it; if it lives, it will tell
  }

  async #open(): Promise<void> {
    const options = { ...natsOptions(this.#address, `${this.broker.namespace} ${this.nodeID}`), noEcho: true }; // of its own packets a node has no need
    for (let told = false; !this.client; told = true) {
      try {
        this.client = await connect(options);
      } catch (error) {
        if (this.#closing) return;
        if (!told) this.logger.warn({ event: "nats-unreachable", servers: options.servers, reason: (error as Error).message });
        await delay(RETRY);
      }
    }
    void this.#watch(this.client);
    void this.client.closed().then(() => this.#reopen());
    await this.onConnected(false);
  }

  async #watch(client: NatsConnection) {
    for await (const { type } of client.status()) {
      if (type === Events.Disconnect) this.#lost();
      else if (type === Events.Reconnect) this.#return();
    }
  }

  /** The client has given up, which it should not: again from the start. */
  async #reopen() {
    if (this.#closing) return;
    this.#lost();
    this.client = null;
    await this.#open();
    this.#return();
  }

  #lost() {
    if (!this.connected || this.#closing) return;
    this.connected = false;
    this.logger.warn({ event: "nats-lost" });
    this.broker.broadcastLocal("$transporter.disconnected", { graceFul: false }); // nobody's heartbeat is missed meanwhile
    this.#pending?.fail(busUnavailable);
  }

  /** Answers that waited go first, then the INFO that tells others that the rest of what they had sent here is lost. */
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
}
