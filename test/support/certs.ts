import { join } from "node:path";
import { run } from "./system.ts";

export interface TrustFiles {
  TLS_CA_FILE: string;
  TLS_CERT_FILE: string;
  TLS_KEY_FILE: string;
  NATS_NKEY_FILE: string;
}

/** What `npm run certs` has made. */
export interface Certs {
  of(file: string): string;
  /** What a node that is called so is given. */
  node(name: string): TrustFiles;
  /** With which nats-server asks for certificates and nkeys. */
  readonly nats: string[];
  /** With which redis-server asks for certificates, on this port. */
  redis(port: number): string[];
}

export const makeCerts = async (path: string, args: readonly string[] = [], namespace = "tested"): Promise<Certs> => {
  const { code, stderr } = await run(["mixins/trust/certs.command.ts", "--dir", path, ...args], { NAMESPACE: namespace });
  if (code !== 0) throw new Error(`npm run certs ended with ${code}: ${stderr}`);
  const of = (file: string) => join(path, file);
  const ca = of("ca.crt");
  const [natsCert, natsKey, redisCert, redisKey] = ["nats.crt", "nats.key", "redis.crt", "redis.key"].map((file) => of(`servers/${file}`));
  return {
    of,
    node: (name) => ({
      TLS_CA_FILE: ca,
      TLS_CERT_FILE: of(`nodes/${name}.crt`),
      TLS_KEY_FILE: of(`nodes/${name}.key`),
      NATS_NKEY_FILE: of(`nodes/${name}.seed`),
    }),
    nats: ["--config", of("nats.conf"), "--tlsverify", `--tlscert=${natsCert}`, `--tlskey=${natsKey}`, `--tlscacert=${ca}`],
    redis: (port) => [
      ...["--port", "0", "--tls-port", String(port), "--tls-cert-file", redisCert!, "--tls-key-file", redisKey!],
      ...["--tls-ca-cert-file", ca, "--tls-auth-clients", "yes"],
    ],
  };
};
