import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"; // RFC 4648
const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; // without what is misread: I, L, O, U
const STEP = 30_000; // ms

/** 32 divides 256, so each character is as likely as the others: five bits of randomness in each. */
const random = (alphabet: string, length: number): string =>
  Array.from(randomBytes(length), (byte) => alphabet[byte % alphabet.length]).join("");

/** A new secret for an authenticator app: 160 random bits (RFC 4226, 4), in base32. */
export const newTotpSecret = (): string => random(BASE32, 32);

/** What the QR code says (Google's Key URI Format). SHA-1, 6 digits and 30 s are its defaults, and all that some apps can do. */
export const otpauthUrl = (secret: string, email: string, issuer: string): string => {
  const from = encodeURIComponent(issuer);
  return `otpauth://totp/${from}:${encodeURIComponent(email)}?secret=${secret}&issuer=${from}`;
};

/**
 * The step of 30 s that a code is of (RFC 6238), if that is now, one before or one after: phones are some seconds off. `at` is
 * in epoch milliseconds. `after` is the step of the last code taken, -1 for none: keep the answer and pass it the next time,
 * and no code is taken twice. Throws `RangeError` where the secret is not base32.
 */
export const totpStep = (secret: string, code: string, at: number, after: number): number | undefined => {
  const key = keyOf(secret);
  if (!/^[0-9]{6}$/.test(code)) return undefined;
  const now = Math.floor(at / STEP);
  // The latest, if by chance it is the code of two: it may not come again for the other.
  return [now + 1, now, now - 1].filter((step) => step > after && fits(key, step, code))[0];
};

const fits = (key: Buffer, step: number, code: string): boolean => timingSafeEqual(Buffer.from(codeOf(key, step)), Buffer.from(code));

/** RFC 4226, 5.3: four bytes of the HMAC, from where its last half byte says. */
const codeOf = (key: Buffer, step: number): string => {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac("sha1", key).update(counter).digest();
  const number = mac.readUInt32BE(mac[19]! & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
};

const keyOf = (secret: string): Buffer => {
  if (!/^[A-Z2-7]{16,128}$/.test(secret)) throw new RangeError("A TOTP secret is 16 to 128 characters of base32, without padding");
  const bits = Array.from(secret, (character) => BASE32.indexOf(character).toString(2).padStart(5, "0")).join("");
  return Buffer.from(bits.match(/.{8}/g)!.map((byte) => Number.parseInt(byte, 2)));
};

/** Ten codes for whoever has lost the phone, each for one use: 50 random bits, as "7K2QX-M4T9B". Shown once; kept as `digestOf`. */
export const recoveryCodes = (): string[] => Array.from({ length: 10 }, () => random(CROCKFORD, 10).replace(/.{5}/, "$&-"));

/** What is kept of a recovery code: SHA-256 in hex, the same however the code was typed (Crockford's base32: O is 0, I and L are 1). */
export const digestOf = (code: string): string => {
  const plain = code.toUpperCase().replace(/[\s-]/g, "").replaceAll("O", "0").replace(/[IL]/g, "1");
  return createHash("sha256").update(plain).digest("hex");
};
