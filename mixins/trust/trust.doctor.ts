import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { config } from "../runtime/config.ts";
import { Examination, type Finding } from "../runtime/examination.ts";
import { certificateIn } from "../runtime/pem.files.ts";

const SOON = 30 * 86_400_000; // milliseconds

/** The files that this process is trusted by: until when certificates count, and who can read the keys. */
export const examineTrust = async (): Promise<Finding[]> => {
  const trust = new Examination("trust");
  const { tlsCaFile, tlsCertFile, https, natsNkey, transporter } = config;
  for (const [variable, file] of [
    ["TLS_CA_FILE", tlsCaFile],
    ["TLS_CERT_FILE", tlsCertFile],
    ["HTTPS_CERT_FILE", https?.cert],
  ] as const)
    if (file) examineEnd(trust, variable, file);
  const own = join(config.dataDir, "keys/master.key");
  for (const file of [...config.secretFiles, ...(config.masterKey === undefined && existsSync(own) ? [own] : [])]) examineMode(trust, file);
  if (tlsCertFile && transporter && !natsNkey)
    trust.warn("NATS_NKEY_FILE is not set: NATS knows this node by its certificate at most, and cannot tell what it may send");
  return trust.findings;
};

const examineEnd = (trust: Examination, variable: string, file: string) => {
  const { subject, validFromDate, validToDate } = certificateIn(variable, file);
  const says = `${variable} (${subject.replaceAll("\n", ", ")})`;
  const left = validToDate.getTime() - Date.now();
  const day = validToDate.toISOString().slice(0, 10);
  if (left < 0)
    trust.wrong(`${says} has ended on ${day}: renew it (npm run certs -- --renew), and start again what does not read it by itself`);
  else if (validFromDate.getTime() > Date.now())
    trust.wrong(`${says} does not count before ${validFromDate.toISOString()}: look at the clock`);
  else if (left < SOON) trust.warn(`${says} ends on ${day}: renew it (npm run certs -- --renew)`);
  else trust.ok(`${says} ends on ${day}`);
};

/** What another user has put there for our group, as Kubernetes does, our group may read. */
const examineMode = (trust: Examination, file: string) => {
  const { mode, uid } = statSync(file);
  const others = uid === process.getuid?.() ? 0o077 : 0o007;
  if ((mode & others) !== 0) trust.warn(`${file} can be read by others: chmod 600 ${file}`);
  else trust.ok(`${file} can be read by nobody else`);
};
