import { createCipheriv, createDecipheriv, randomFillSync } from "node:crypto";

/** Bytes of a key: AES-256. */
export const KEY_BYTES = 32;
const [NONCE, TAG] = [12, 16];

const chance = Buffer.alloc(4_096);
let spent = chance.length;

/** Random bytes; from a stock, as each question to the system for a few costs more than encrypting what they are for. */
export const randomOf = (bytes: number): Buffer => {
  if (spent + bytes > chance.length) {
    randomFillSync(chance);
    spent = 0;
  }
  const taken = Buffer.from(chance.subarray(spent, spent + bytes));
  chance.fill(0, spent, spent + bytes);
  spent += bytes;
  return taken;
};

/**
 * AES-256-GCM with a nonce of its own: nonce, text and tag as base64url. It opens under the same key at the same `place` only, so what was
 * taken from one place and put into another is worth nothing there.
 */
export const encrypt = (key: Buffer, place: string, text: string): string => {
  const nonce = randomOf(NONCE);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(place));
  return Buffer.concat([nonce, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()]).toString("base64url");
};

/** Undefined where it was made under another key, for another place, or was changed. */
export const decrypt = (key: Buffer, place: string, encrypted: string): string | undefined => {
  const bytes = Buffer.from(encrypted, "base64url");
  if (bytes.length < NONCE + TAG) return undefined;
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, NONCE), { authTagLength: TAG }).setAAD(Buffer.from(place));
  decipher.setAuthTag(bytes.subarray(-TAG));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(NONCE, -TAG)), decipher.final()]).toString("utf8");
  } catch {
    return undefined;
  }
};
