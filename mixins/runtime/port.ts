import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Server as TlsServer } from "node:tls";
import { Refused } from "./refused.ts";

/** Has the server listen. Throws `Refused` where it cannot, naming the variable that says the port and what to do. */
export const listen = async (server: Server, host: string, port: number, variable: string): Promise<void> => {
  try {
    await new Promise<void>((done, failed) => server.once("error", failed).listen(port, host, done));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EADDRINUSE")
      throw new Refused(`${variable}: ${port} on ${host} is taken; stop what listens there or set ${variable} to another`);
    if (code === "EACCES") throw new Refused(`${variable}: this user may not listen on ${port}; set ${variable} to one above 1023`);
    throw new Refused(`HOST: cannot listen on ${host} (${code}); set HOST to an address of this machine`);
  }
};

/** Whether the port can be had: moleculer-web ends the process when it cannot. */
export const tryPort = async (host: string, port: number, variable: string): Promise<void> => {
  const server = createServer();
  await listen(server, host, port, variable);
  await new Promise((done) => server.close(done));
};

/** Where a server listens; undefined where it does not. */
export const urlOf = (server: Server | undefined): string | undefined => {
  const address = server?.address() as AddressInfo | null | undefined;
  if (!address) return undefined;
  return `${(server as unknown) instanceof TlsServer ? "https" : "http"}://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
};
