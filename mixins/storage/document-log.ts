import { createHmac, randomBytes } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { Logged } from "./event-store.ts";
import type { Document } from "./query.ts";

/** One that another has covered since: what the document was then is not kept. */
export interface Past extends Omit<Change, "occurredAt" | "past"> {
  readonly version: number;
}

/** Where a write came from; it is stored with the document, and is its event. */
export interface Change {
  /** Unique: the id of the commit. */
  readonly id: string;
  /** `CustomerSaved`, `CustomerRemoved`. */
  readonly type: string;
  /** Who asked, in the course of which request, and which event or step led to it. */
  readonly by?: string;
  readonly request?: string;
  readonly cause?: string;
  /** Under which login, and from which address, where somebody asked for it. */
  readonly session?: string;
  readonly from?: string;
  /** When it was decided, and when it happened in the user's world, in milliseconds since the epoch. */
  readonly at: number;
  readonly occurredAt: number;
  /** Those before it, the latest last: a log has a document's latest state only, and who changed it before must be known to whoever reads it late. */
  readonly past?: readonly Past[];
}

const REMEMBERED = 16;

/** A change as it is stored behind another one, which made `version`. */
export const following = (change: Change, before: Change | undefined, version: number): Change => {
  if (!before) return change;
  const { occurredAt, past = [], ...covered } = before;
  return {
    ...change,
    occurredAt: Math.max(change.occurredAt, occurredAt), // what comes after a document's last change did not happen before it
    past: [...past, { ...covered, version }].slice(-REMEMBERED),
  };
};

/** A document as others see it: `id` for `_id`, and without the fields that the room made for its indexes (`_name`). */
export type Shown = { id: string; version: number } & Record<string, unknown>;

export const shown = (document: Document): Shown => {
  const view: Record<string, unknown> = { id: document._id };
  for (const key of Object.keys(document)) if (key[0] !== "_") view[key] = document[key];
  return view as Shown;
};

/** What a room keeps of its document's personal fields: which they are, and what their digests in events are made with. */
interface Salted {
  readonly salt: string;
  readonly fields: readonly string[];
}

/** With a salt of its own, where it has personal fields and none yet. */
export const withSalt = <T extends Document>({ personal }: { personal?: readonly string[] }, document: T): T => {
  const { _salted } = document as { _salted?: Salted };
  if (!personal || "erasedAt" in document || isDeepStrictEqual(_salted?.fields, personal)) return document;
  return { ...document, _salted: { salt: _salted?.salt ?? randomBytes(16).toString("base64url"), fields: personal } };
};

/** A document as its event tells it: of a personal field a digest, which changes with it and says nothing once the salt is gone. */
export const told = (document: Document): Shown => {
  const view = shown(document);
  const { salt = "", fields = [] } = ((document as { _salted?: Salted })._salted ?? {}) as Partial<Salted>;
  for (const name of fields)
    if (name in view)
      view[name] = {
        digest: createHmac("sha256", salt)
          .update(`${name} ${JSON.stringify(view[name])}`)
          .digest("base64url"),
      };
  return view;
};

/** What is left of a document that is removed: its name, and that of the key which is to be destroyed with it. */
export const ofTombstone = ({ _id, _key }: Document): Document => ({ _id, ...(_key !== undefined && { _key }) });

/** What a collection's log says of a document: how it is now, or that it was removed. States between are not kept. */
export interface DocumentEvent {
  readonly type: string;
  readonly document?: Shown;
}

/** A collection's record as a log: one commit per document, at the position of its last write. */
export interface DocumentLog {
  /** The documents written after a position, in the order of their last writes, at most `limit`. */
  log(after: number, limit: number): Promise<Logged<DocumentEvent>[]>;
  /** The last write of one document, where its version is above `version`. */
  read(stream: string, version: number): Promise<Logged<DocumentEvent>[]>;
  /** The position of the last write. */
  end(): Promise<number>;
  /** Calls back when the log may have grown, here or in another process; answers how to stop it. */
  listen(listener: () => void): () => void;
  close(): Promise<void>;
}
