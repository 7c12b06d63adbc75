import { hash } from "node:crypto";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

/** An answer as it goes over the wire: its text, how many bytes that is, and the tag that stands for it. */
export interface Rendering {
  readonly body: string;
  readonly bytes: number;
  readonly etag: string;
}

/** What is frozen never changes, so its rendering is kept as long as it lives. */
const kept = new WeakMap<object, Rendering>();

export const render = (answer: unknown, keep: boolean): Rendering => {
  if (typeof answer !== "object" || answer === null) return rendering(answer);
  const known = kept.get(answer);
  if (known) return known;
  const made = rendering(answer, (answer as { version?: unknown }).version);
  if (keep && Object.isFrozen(answer)) kept.set(answer, made);
  return made;
};

const rendering = (answer: unknown, version?: unknown): Rendering => {
  const body = JSON.stringify(answer) ?? "null";
  return { body, bytes: Buffer.byteLength(body), etag: typeof version === "number" ? `"${version}"` : tagOf(body) };
};

export const tagOf = (body: string): string => `"${hash("sha1", body, "base64url")}"`;

export type Coding = "br" | "gzip";

/** The coding that the client likes best of those we have, by `Accept-Encoding`. */
export const codingFor = (accepted: string | string[] | undefined): Coding | undefined => {
  if (typeof accepted !== "string") return undefined;
  let best: Coding | undefined;
  let liking = 0;
  for (const part of accepted.split(",")) {
    const [name = "", q] = part.split(";");
    const weight = q === undefined ? 1 : Number(/^\s*q=([01](?:\.\d{0,3})?)\s*$/i.exec(q)?.[1] ?? 0);
    const coding = name.trim().toLowerCase();
    if ((coding === "br" || coding === "gzip") && (weight > liking || (weight === liking && weight > 0 && coding === "br"))) {
      best = coding;
      liking = weight;
    }
  }
  return best;
};

const brotli = promisify(brotliCompress);
const zip = promisify(gzip);

/** Off the event loop, at a level that costs a few milliseconds per megabyte. */
export const compress = (body: string, coding: Coding): Promise<Buffer> =>
  coding === "br" ? brotli(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }) : zip(body, { level: 5 });

/** A tag as the coded form has it: two forms of one answer must not share a strong tag. */
export const codedTag = (etag: string, coding: Coding): string => `${etag.slice(0, -1)}-${coding}"`;

const bare = (tag: string) =>
  tag
    .trim()
    .replace(/^W\//, "")
    .replace(/-(br|gzip)"$/, '"');

/** Whether what the client has (`If-None-Match`) is what it would be given. */
export const isFresh = (has: string, etag: string): boolean =>
  has === etag || has === "*" || (has.length > etag.length && has.split(",").some((tag) => bare(tag) === etag));
