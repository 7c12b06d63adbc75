import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** Stands between a client and a server on this machine, and does to their connections what a bad network does. */
export interface BadNetwork {
  readonly port: number;
  /** Breaks every connection; new ones are let through. */
  cut(): void;
  /** Breaks every connection and takes no new one, until `open`. */
  close(): Promise<void>;
  open(): Promise<void>;
  /** Keeps back what the server says, from now on or from when a client says `after`: what is asked is done, and nobody hears of it. */
  hold(after?: string): void;
  /** How many answers are kept back now. */
  held(): number;
  /** Hands over what was kept back, to those who still listen. */
  letGo(): void;
  /** From now on what is asked reaches the server, and its answer finds the connection cut, until `mend`. */
  cutAnswers(): void;
  mend(): void;
  /** From now on each way takes so many milliseconds; none with 0. */
  slow(milliseconds: number): void;
  stop(): Promise<void>;
}

export const startProxy = async (target: number, host = "127.0.0.1"): Promise<BadNetwork> => {
  const pairs = new Set<readonly [Socket, Socket]>();
  let kept: [Socket, Buffer][] | undefined;
  let cue: string | undefined;
  let cutting = false;
  let late = 0;
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ port: target, host, noDelay: true });
    const pair = [client, upstream] as const;
    pairs.add(pair);
    const [ask, answer] = [lane(upstream), lane(client)];
    client.on("data", (chunk: Buffer) => {
      if (cue !== undefined && chunk.includes(cue)) kept ??= [];
      ask(chunk, late);
    });
    upstream.on("data", (chunk: Buffer) => {
      if (cutting) client.destroy();
      else if (kept) kept.push([client, chunk]);
      else answer(chunk, late);
    });
    for (const [one, other] of [pair, [upstream, client] as const]) {
      one.on("error", () => {});
      one.on("close", () => {
        other.destroy();
        pairs.delete(pair);
      });
    }
  });
  const listen = async (port: number) => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const cut = () => {
    for (const pair of pairs) for (const socket of pair) socket.destroy();
  };
  const close = async () => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    cut();
    await closed;
  };
  return {
    port,
    cut,
    close,
    open: () => listen(port),
    hold(after) {
      cue = after;
      if (after === undefined) kept ??= [];
    },
    held: () => kept?.length ?? 0,
    letGo() {
      cue = undefined;
      const waiting = kept ?? [];
      kept = undefined;
      for (const [client, chunk] of waiting) if (!client.destroyed) client.write(chunk);
    },
    cutAnswers() {
      cutting = true;
    },
    mend() {
      cutting = false;
    },
    slow(milliseconds) {
      late = milliseconds;
    },
    stop: close,
  };
};

/** Writes to the socket, late where it is to be: whichever timer comes first writes what came first, so nothing overtakes. */
const lane = (socket: Socket) => {
  const waiting: Buffer[] = [];
  return (chunk: Buffer, late: number) => {
    if (late === 0 && waiting.length === 0) return void socket.write(chunk);
    waiting.push(chunk);
    setTimeout(() => {
      const next = waiting.shift()!;
      if (!socket.destroyed) socket.write(next);
    }, late);
  };
};
