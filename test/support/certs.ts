import { join } from "node:path";
import type { TestContext } from "node:test";
import { natsUser, natsUsersFile, newSeed } from "../../mixins/bus/nats.users.ts";
import { allRooms } from "../../mixins/runtime/node.ts";
import { CertsFolder } from "../../mixins/trust/certs.folder.ts";
import { folder } from "./system.ts";

/** Certificates and nkeys as `npm run certs` makes them, in a folder of the test's own. */
export interface Certs {
  readonly path: string;
  of(file: string): string;
  /** What a node that is called so is given. */
  node(name: string): { TLS_CA_FILE: string; TLS_CERT_FILE: string; TLS_KEY_FILE: string; NATS_NKEY_FILE: string };
  /** With which nats-server asks for certificates and nkeys. */
  readonly nats: string[];
}

/** For nodes that run the room that they are called after. */
export const makeCerts = async (t: TestContext, nodes: readonly string[], namespace: string, exact = false): Promise<Certs> => {
  const path = folder(t);
  const of = (file: string) => join(path, file);
  const certs = new CertsFolder(path, false);
  await certs.open();
  const rooms = allRooms();
  for (const name of nodes) {
    await certs.holder("nodes", { name, hosts: [], node: true });
    const seed = await certs.keep(`nodes/${name}.seed`, newSeed);
    const own = rooms.filter((room) => room === name);
    await certs.keep(`nodes/${name}.nats`, () => natsUser({ name, seed, namespace, rooms, own, exact }));
  }
  for (const name of ["nats", "mongo", "redis", "https"]) await certs.holder("servers", { name, hosts: [], node: false });
  certs.put("nats.conf", natsUsersFile(nodes.map((name) => certs.read(`nodes/${name}.nats`))));
  const [cert, key, ca] = [of("servers/nats.crt"), of("servers/nats.key"), of("ca.crt")];
  return {
    path,
    of,
    node: (name) => ({
      TLS_CA_FILE: ca,
      TLS_CERT_FILE: of(`nodes/${name}.crt`),
      TLS_KEY_FILE: of(`nodes/${name}.key`),
      NATS_NKEY_FILE: of(`nodes/${name}.seed`),
    }),
    nats: ["--config", of("nats.conf"), "--tlsverify", `--tlscert=${cert}`, `--tlskey=${key}`, `--tlscacert=${ca}`],
  };
};
