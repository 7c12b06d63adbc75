import { statfsSync } from "node:fs";
import { resolve } from "node:path";
import { config } from "./config.ts";
import { prepareDataDir } from "./data-dir.ts";
import { Examination, type Finding } from "./examination.ts";
import { allRooms } from "./node.ts";

const LITTLE = 1e9; // bytes
const LOOPBACK = /^(127\.|::1$|localhost$)/;

/** What this process is and would run with. */
export const examineProcess = async (): Promise<Finding[]> => {
  const here = new Examination("process");
  here.ok(`Node ${process.versions.node}`);
  const all = allRooms();
  const unknown = config.rooms.filter((room) => !all.includes(room));
  if (unknown.length > 0) here.wrong(`ROOMS: there is no room ${unknown.join(", ")}; there are ${all.join(", ")}`);
  else here.ok(`rooms: ${(config.rooms.length > 0 ? config.rooms : all).join(", ")}`);
  if (!LOOPBACK.test(config.host) && !config.https)
    here.warn(
      `HOST is ${config.host}: passwords and tokens go over the port as they are; set HTTPS_CERT_FILE and HTTPS_KEY_FILE, or let only a proxy that speaks TLS reach it`,
    );
  if (config.mongoUrl) {
    here.ok(`a node of the cluster ${config.namespace}`);
    if (!config.redisUrl)
      here.warn("REDIS_URL is not set: each gateway counts its clients' requests for itself, and caches are each node's own");
  } else {
    here.ok("one process, or several on this DATA_DIR; TRANSPORTER and MONGO_URL would make it a node of a cluster");
    examineFolder(here, resolve(config.dataDir));
  }
  return here.findings;
};

/** As the start does it: the folder is made, and a file is written and taken away. */
const examineFolder = (here: Examination, dir: string) => {
  try {
    prepareDataDir(dir);
  } catch (error) {
    return here.wrong((error as Error).message);
  }
  const { bavail, bsize } = statfsSync(dir);
  const free = bavail * bsize;
  const says = `DATA_DIR: ${dir} can be written, ${(free / 1e9).toFixed(1)} GB are free`;
  if (free < LITTLE) here.warn(`${says}: make room, or name a folder on a larger disk`);
  else here.ok(says);
};
