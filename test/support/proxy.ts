import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface Proxy {
  readonly port: number;
  /** From now on what is sent reaches the server, and its answer, if there is one, finds the connection cut. */
  cutAnswers(): void;
  /** Whoever connects from now on is served again. */
  mend(): void;
  stop(): Promise<void>;
}

/** Stands between a client and a server on this machine, and can cut them off from each other. */
export const startProxy = async (to: number): Promise<Proxy> => {
  const open = new Set<Socket>();
  let cutting = false;
  const server = createServer((client) => {
    const there = connect(to, "127.0.0.1");
    for (const socket of [client, there]) {
      open.add(socket);
      socket
        .on("error", () => {})
        .on("close", () => {
          open.delete(socket);
          client.destroy();
          there.destroy();
        });
    }
    client.on("data", (data) => there.write(data));
    there.on("data", (data) => {
      if (cutting) client.destroy();
      else client.write(data);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    cutAnswers() {
      cutting = true;
    },
    mend() {
      cutting = false;
    },
    async stop() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
};
