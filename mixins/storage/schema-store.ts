import type { CollectionStore } from "./collection-store.ts";

/**
 * One change of what a room keeps, beyond what its events' upcasters and its views' numbers see to. It may run again from its
 * beginning, where the node that ran it was killed, so it must bear finding its own work.
 */
export interface SchemaStep {
  /** 1, 2, 3 …: in this order, and never used twice. */
  readonly number: number;
  /** An expanding step adds what nodes of the version before can live beside; a contracting one takes away what this version and the one before do without. */
  readonly kind: "expand" | "contract";
  /** What it does, in a sentence. */
  readonly says: string;
  /** Of a contracting step: the number of the step from which on nodes do without what it takes away; older nodes do not start any more. Its own number where nothing is said. */
  readonly since?: number;
  readonly run: (room: SchemaRoom) => Promise<void>;
}

/** What a step may do to its room's store. */
export interface SchemaRoom {
  /** Takes away what a view kept under an older number: its documents, and how far it had come. */
  dropView(name: string, number: number): Promise<void>;
  /** A collection's documents. */
  documents(): CollectionStore;
}

/** A step that has run. */
export interface RanStep {
  readonly number: number;
  readonly kind: "expand" | "contract";
  readonly says: string;
  /** The least that a node must know to start on it. */
  readonly since: number;
  /** When it was done, in milliseconds since the epoch. */
  readonly at: number;
}

/** Which steps have run on a room's store. */
export interface SchemaStore extends SchemaRoom {
  /** In the order of their numbers. */
  ran(): Promise<RanStep[]>;
  note(step: RanStep): Promise<void>;
  close(): Promise<void>;
}
