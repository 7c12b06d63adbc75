import { Rejected } from "../../mixins/core/errors.ts";
import { unwrap, wrap } from "../../mixins/trust/master-key.ts";
import type { Identity } from "./auth.domain.ts";
import type { Auth } from "./auth.room.ts";
import { digestOf } from "./auth.tokens.ts";

/** Milliseconds from the beginning of a login at a provider to its end here. */
export const LASTS = 600_000;

/** What a login at a provider waits with, sealed by the master key and kept by the browser that began it: nothing is kept here for whoever only begins. */
interface Sealed {
  readonly id: string;
  readonly provider: string;
  /** Digest of the secret that only the browser has which began: without it an attacker's login could be slipped to somebody else. */
  readonly binding: string;
  readonly until: number;
}
export interface State extends Sealed {
  readonly nonce: string;
  readonly verifier: string;
}
/** Of a login that lacks its second factor. */
export interface Ticket extends Sealed {
  readonly user: string;
  readonly identity: Identity;
  readonly known: boolean;
  /** When it was found out who he is: what is taken back from then on takes it along. */
  readonly at: number;
  readonly agent?: string;
}

type Purpose = "state of a login" | "ticket of a login";

export const sealed = (purpose: Purpose, content: State | Ticket): string => wrap(purpose, JSON.stringify(content));

/** Throws `STATE_INVALID` where it was not made here for this, for this provider and for this browser, or has become too old. */
export const opened = <T extends Sealed>(purpose: Purpose, text: string, provider: string, binding: string): T => {
  const plain = unwrap(purpose, text);
  const content = plain === undefined ? undefined : (JSON.parse(plain) as T);
  const counts = content && content.provider === provider && content.binding === digestOf(binding) && Date.now() < content.until;
  if (!counts) throw stateInvalid();
  return content;
};

/**
 * Takes a sealed one for the one time that it counts; of two who bring it at once one has it. What was taken stands, as long as it could come
 * again, in one of 256 documents: as many as there are, whatever is taken. Throws `STATE_INVALID`.
 */
export const takeOnce = async (auth: Auth, purpose: Purpose, { id: login, until }: Sealed): Promise<void> => {
  const id = digestOf(`${purpose} ${login}`);
  const place = `t~${Buffer.from(id, "base64url").toString("hex", 0, 1)}`;
  const nobody = { meta: {} } as never;
  await auth.adapter.documents.write(() => {
    const document = auth.adapter.documents.get(place);
    const taken = ((document?._taken ?? []) as Pick<Sealed, "id" | "until">[]).filter((one) => Date.now() < one.until);
    if (taken.some((one) => one.id === id)) throw stateInvalid();
    const _taken = [...taken, { id, until }];
    if (document) auth.change(nobody, document, { _taken });
    else auth.add(nobody, place, { user: "", _taken });
  });
};

export const stateInvalid = () =>
  new Rejected(
    "STATE_INVALID",
    "This login was not begun here by this browser, was finished already, or took more than ten minutes: begin again",
    401,
  );
