import { hkdfSync, randomBytes } from "node:crypto";
import { chmodSync, existsSync, linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Unavailable } from "../core/errors.ts";
import { config } from "../runtime/config.ts";
import { decrypt, encrypt, KEY_BYTES } from "./aes.ts";

/** What the master key wraps the keys for that wrap those of sealed fields. */
export const KEK_PURPOSE = "key encryption key";

let known: Buffer | undefined;

/**
 * The key that all other keys are wrapped by, 32 bytes: `MASTER_KEY` (base64) or the file that `MASTER_KEY_FILE` names; alone
 * a process makes one in `DATA_DIR/keys`, which nobody but its user may read. Throws `MASTER_KEY_MISSING` in a cluster without one.
 */
export const masterKey = (): Buffer => {
  known ??= config.masterKey ? decoded(config.masterKey) : ownKey();
  return known;
};

/** Whether this process has it: alone always, in a cluster where it was given. */
export const hasMasterKey = (): boolean => config.masterKey !== undefined || config.mongoUrl === undefined;

const decoded = (text: string): Buffer => {
  const key = Buffer.from(text, "base64");
  if (key.length === KEY_BYTES) return key;
  throw new Error("MASTER_KEY must be 32 bytes in base64, as `openssl rand -base64 32` writes them");
};

const ownKey = (): Buffer => {
  if (config.mongoUrl) {
    throw new Unavailable("MASTER_KEY_MISSING", "In a cluster the keys are wrapped by one that every node has: set MASTER_KEY_FILE");
  }
  const folder = join(config.dataDir, "keys");
  const file = join(folder, "master.key");
  if (!existsSync(file)) make(folder, file);
  if ((statSync(file).mode & 0o077) !== 0) chmodSync(file, 0o600); // a backup tool may have let others read it
  return decoded(readFileSync(file, "utf8"));
};

/** Written aside and then linked: of two processes that begin at once one has the file, whole, and the other reads it. */
const make = (folder: string, file: string) => {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, `${randomBytes(KEY_BYTES).toString("base64")}\n`, { mode: 0o600, flush: true });
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(draft, { force: true });
  }
};

const wrapping = (key: Buffer, purpose: string) => Buffer.from(hkdfSync("sha256", key, "", purpose, KEY_BYTES));

/** AES-256-GCM under a key of its own that follows from the master key and `purpose`; what was wrapped for one purpose opens for no other. */
export const wrap = (purpose: string, secret: string): string => encrypt(wrapping(masterKey(), purpose), "", secret);

/** Also what the master key before this one wrapped. Undefined where it was another one still, for another purpose, or it was changed. */
export const unwrap = (purpose: string, wrapped: string): string | undefined =>
  unwrapBy(masterKey(), purpose, wrapped) ?? (previousMasterKey() && unwrapBy(previousMasterKey()!, purpose, wrapped));

/** The same secret wrapped by today's master key; undefined where it is already, or cannot be opened. */
export const rewrapped = (purpose: string, wrapped: string): string | undefined => {
  const secret = previousMasterKey() && unwrapBy(masterKey(), purpose, wrapped) === undefined ? unwrap(purpose, wrapped) : undefined;
  return secret === undefined ? undefined : wrap(purpose, secret);
};

/** The one before, or after: what it wrapped still opens. */
export const previousMasterKey = (): Buffer | undefined => (config.masterKeyPrevious ? decoded(config.masterKeyPrevious) : undefined);

const unwrapBy = (key: Buffer, purpose: string, wrapped: string) => decrypt(wrapping(key, purpose), "", wrapped);
