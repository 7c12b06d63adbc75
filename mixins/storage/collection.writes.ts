import { randomUUIDv7 } from "node:crypto";
import type { Service } from "moleculer";
import { Rejected } from "../core/errors.ts";
import type { Documents, IndexDeclaration, Stored } from "./collection-store.ts";
import type { Change } from "./document-log.ts";
import type { Document } from "./query.ts";

/** What a room's settings say to its adapter. `entity` is the word that names its events (`CustomerSaved`). */
export interface AdapterSettings {
  indexes?: readonly IndexDeclaration[];
  entity?: string;
}

/** The field that an index is about: `_email` stands for `email`. */
export const nameOf = (path: string): string => path.replace(/^_/, "");

/** moleculer-db's updates, as far as they are understood. */
export type Update = { $set?: Record<string, unknown>; $unset?: Record<string, unknown> };

/** Inside a write: throws where the id stands for a document, or for one that was removed. */
export const refuseTaken = (documents: Documents, id: string): void => {
  const before = documents.look(id);
  if (before?.removed) throw new Rejected("DOCUMENT_REMOVED", "What had this id was removed", 410, { id });
  if (before) throw new Rejected("DOCUMENT_EXISTS", "There is one with this id already", 409, { id });
};

/** What moleculer-db's adapters are asked to write, in the course of one write; the changes name nobody. */
export class Writes {
  readonly #documents: Documents;
  readonly #service: Service;

  constructor(documents: Documents, service: Service) {
    this.#documents = documents;
    this.#service = service;
  }

  insert(document: Document): Stored {
    refuseTaken(this.#documents, document._id);
    return this.#documents.put(document, this.#change("Saved"));
  }

  /** Undefined where there is no such document. */
  update(id: string, { $set = {}, $unset = {}, ...unknown }: Update): Stored | undefined {
    const names = [...Object.keys($set), ...Object.keys($unset)];
    const broken = [...Object.keys(unknown), ...names.filter((name) => /[.$]/.test(name) || name === "_id" || name === "__proto__")];
    if (broken.length > 0) throw new Rejected("QUERY_REFUSED", `An update cannot use ${broken.join(", ")}`, 400);
    const found = this.#documents.get(id);
    if (!found) return undefined;
    const document = { ...found, ...$set };
    for (const name of Object.keys($unset)) delete (document as Record<string, unknown>)[name];
    return this.#documents.put(document, this.#change("Saved"));
  }

  /** Answers with the document as it was. */
  remove(id: string): Stored | undefined {
    const found = this.#documents.get(id);
    if (found) this.#documents.remove(id, this.#change("Removed"));
    return found;
  }

  #change(what: "Saved" | "Removed"): Change {
    const at = Date.now();
    const { entity = "Document" } = this.#service.settings as AdapterSettings;
    return { id: randomUUIDv7(), type: `${entity}${what}`, at, occurredAt: at };
  }
}

/** With an id of its own where it has none: before the write, as that may run again. */
export const withId = (entity: Record<string, unknown>): Document => ({
  ...entity,
  _id: (entity._id as string | undefined) ?? randomUUIDv7(),
});
