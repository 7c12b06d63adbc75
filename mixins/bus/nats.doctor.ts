import { connect, type JetStreamManager, type NatsConnection, type StreamInfo } from "nats";
import { shownAddress } from "../runtime/address.ts";
import { config, ENCRYPTED } from "../runtime/config.ts";
import { atLeast, Examination, type Finding } from "../runtime/examination.ts";
import { streamOf } from "./jetstream.host.ts";
import { natsOptions } from "./nats.options.ts";

const PATIENCE = 3_000;
const LARGEST = 2 * 1_048_576; // bytes of a message: a request of 1 MB, the most that the gateway takes, and what goes around it

/** NATS, which carries calls and events: whether it is there, keeps what it is given, and has room for it. */
export const examineNats = async (): Promise<Finding[]> => {
  const nats = new Examination("nats");
  const address = config.transporter;
  if (!address) return nats.findings;
  try {
    const connection = await connect({
      ...natsOptions(address, "banyan doctor"),
      timeout: PATIENCE,
      reconnect: false,
      ignoreAuthErrorAbort: false,
    });
    try {
      nats.encrypted(shownAddress(address), ENCRYPTED.TRANSPORTER.is(address), ENCRYPTED.TRANSPORTER.written);
      await examine(nats, connection, address);
      await examineGuard(nats, address);
    } finally {
      await connection.close();
    }
  } catch (error) {
    nats.wrong(`${shownAddress(address)} is not to be had: ${(error as Error).message}; is it running, and TRANSPORTER its address?`);
  }
  return nats.findings;
};

/** Whether it lets in somebody who does not log in, even with our certificate: such a one is a node of the system. */
const examineGuard = async (nats: Examination, address: string) => {
  const { servers, tls } = natsOptions(address, "banyan doctor");
  const stranger = await connect({ servers, name: "banyan doctor", tls, timeout: PATIENCE, reconnect: false }).catch(() => undefined);
  if (!stranger) return nats.ok("it lets in nobody who does not log in");
  await stranger.close();
  const whom = config.tlsCertFile ? "anybody with a certificate" : "anybody who reaches it";
  nats.warn(`it lets in ${whom}, and whoever may publish is a node: give it users (npm run certs makes them), or a network of its own`);
};

const examine = async (nats: Examination, connection: NatsConnection, address: string) => {
  const { version, cluster, connect_urls: others = [], max_payload: largest } = connection.info!;
  const says = `${version} at ${shownAddress(address)}${cluster ? `, cluster ${cluster}` : ", a server of its own"}`;
  if (atLeast(version, 2, 10)) nats.ok(says);
  else nats.wrong(`${says}: consumers with several subjects take 2.10 or newer`);
  if (largest < LARGEST)
    nats.warn(
      `max_payload is ${megabytes(largest)}: a request of 1 MB, the most that the gateway takes, does not fit; set max_payload: 8MB`,
    );
  if (config.busReplicas > 1 && !cluster)
    nats.wrong(`BUS_REPLICAS is ${config.busReplicas} and the server stands alone: set it to 1, or run that many servers as a cluster`);
  else if (config.busReplicas === 1)
    nats.warn("BUS_REPLICAS is 1: while the one server that has them is away, no event is carried; 3 goes with three servers");
  else if (others.length > 0 && others.length < config.busReplicas)
    nats.warn(`BUS_REPLICAS is ${config.busReplicas}, and ${others.length} servers are known`);
  const manager = await connection.jetstreamManager({ timeout: PATIENCE }).catch((error: Error) => {
    nats.wrong(`JetStream does not answer (${error.message}): start nats-server with -js and -sd FOLDER, on a disk that stays`);
  });
  if (manager) await examineJetStream(nats, manager);
};

const examineJetStream = async (nats: Examination, manager: JetStreamManager) => {
  const account = await nats.ask("JetStream's limits", () => manager.getAccountInfo());
  if (account) {
    const { max_storage: most = -1, max_streams: streams = -1 } = account.limits ?? {};
    const says = `JetStream holds ${megabytes(account.storage)}${most > 0 ? ` of ${megabytes(most)}` : ""} in ${account.streams} streams`;
    if (most > 0 && most < config.busMaxMegabytes * 1_048_576)
      nats.warn(`${says}: less than one room's events may take; raise max_file_store, or lower BUS_MAX_MEGABYTES`);
    else if (streams > 0 && account.streams >= streams) nats.warn(`${says}, and may not hold more streams: raise max_streams`);
    else nats.ok(says);
  }
  const asked = Date.now();
  const ours = await nats.ask("its streams", () => ownStreams(manager));
  for (const stream of ours ?? []) examineStream(nats, stream);
  const time = Date.parse((ours?.[0] as { ts?: string } | undefined)?.ts ?? "");
  if (Number.isFinite(time)) nats.clock(time, asked);
  nats.ok("sync_interval cannot be seen from here; its default is right, since the database is the record and the bus carries it");
};

const ownStreams = async (manager: JetStreamManager): Promise<StreamInfo[]> => {
  const own: StreamInfo[] = [];
  for await (const stream of manager.streams.list()) {
    if (stream.config.name.startsWith(streamOf(""))) own.push(stream);
  }
  return own;
};

const examineStream = (nats: Examination, { config: { name, storage, num_replicas: replicas }, cluster, state }: StreamInfo) => {
  const away = cluster?.replicas?.filter(({ offline }) => offline).map((replica) => replica.name) ?? [];
  if (String(storage) !== "file")
    nats.wrong(`stream ${name} is kept in memory: delete it (nats stream rm ${name}); it is made anew on disk`);
  else if (away.length > 0) nats.warn(`stream ${name}: ${away.join(", ")} ${away.length > 1 ? "are" : "is"} away; start it again`);
  else if (replicas !== config.busReplicas)
    nats.warn(
      `stream ${name} stands on ${replicas} of the servers, BUS_REPLICAS says ${config.busReplicas}: nats stream edit ${name} --replicas ${config.busReplicas}`,
    );
  else nats.ok(`stream ${name}: ${state.messages} events, ${megabytes(state.bytes)}, on ${replicas} server${replicas > 1 ? "s" : ""}`);
};

const megabytes = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MB`;
