import { createHmac } from "node:crypto";
import { decrypt, encrypt } from "./aes.ts";

/** A value that only whoever has its data key can read: `v1.<key>.<base64url>`. This is all that stores, events, messages and backups have of it. */
export interface Sealed {
  readonly sealed: string;
}

export interface DataKey {
  readonly id: string;
  readonly key: Buffer;
}

/** What stands where something was erased: it opens to nothing, without asking anybody. */
export const ERASED: Sealed = Object.freeze({ sealed: "v1.erased." });

const FORM = "v1.";

export const isSealed = (value: unknown): value is Sealed => {
  if (typeof value !== "object" || value === null) return false;
  const { sealed } = value as { sealed?: unknown };
  return typeof sealed === "string" && sealed.startsWith(FORM) && Object.keys(value).length === 1;
};

/** The id of the data key that opens it; undefined where none does any more. */
export const keyIdOf = ({ sealed }: Sealed): string | undefined =>
  sealed === ERASED.sealed ? undefined : sealed.slice(FORM.length, sealed.lastIndexOf("."));

/** `place` names room, document and field: elsewhere it does not open. The value is JSON. */
export const seal = ({ id, key }: DataKey, place: string, value: unknown): Sealed => ({
  sealed: `v1.${id}.${encrypt(key, place, JSON.stringify(value))}`,
});

/** Undefined where it was sealed for another place, or was changed. */
export const open = (key: Buffer, place: string, { sealed }: Sealed): unknown => {
  const text = decrypt(key, place, sealed.slice(sealed.lastIndexOf(".") + 1));
  return text === undefined ? undefined : JSON.parse(text);
};

/** What a sealed value is found by: the same for the same text of the same field, and without the key nobody can tell whose it is. */
export const blindIndex = (key: Buffer, field: string, text: string): string =>
  createHmac("sha256", key).update(`${field}\n${text}`).digest("base64url");
