/** What a client is told of an id that is none. */
export function idMessages(length: number, marks = "_, ~ and -"): { stringPattern: string } {
  return { stringPattern: `The '{field}' field must be an id: 1 to ${length} letters, digits, ${marks}, a letter or digit first` };
}

/**
 * What an id may look like, wherever it comes from: it ends up in subjects, keys and paths, where a space, a dot
 * or a line break would mean something. A code from the user's world that does not fit is a field, not an id.
 */
export const id = { type: "string", pattern: "^[A-Za-z0-9][A-Za-z0-9_~-]{0,63}$", messages: idMessages(64) } as const;

/** The id of a product is shorter, so that with a warehouse before it it still is an id. */
export const productId = { type: "string", pattern: "^[A-Za-z0-9][A-Za-z0-9_~-]{0,46}$", messages: idMessages(47) } as const;

export const warehouseId = { type: "string", pattern: "^[A-Za-z0-9][A-Za-z0-9_-]{0,15}$", messages: idMessages(16, "_ and -") } as const;

/**
 * The id that follows from a code of the user's world: `85123A` stays as it is, `BANK CHARGES` becomes `BANK~20CHARGES`.
 * Two codes never share an id: every byte that no id may hold, and `~` itself, is written as `~` and two hex digits,
 * a first one that may not stand first gets a `0~` before it.
 */
export const idOf = (code: string): string => {
  const escaped = Buffer.from(code, "utf8").reduce((text, byte) => {
    const char = String.fromCharCode(byte);
    return text + (/[A-Za-z0-9_-]/.test(char) ? char : `~${byte.toString(16).padStart(2, "0")}`);
  }, "");
  return /^[A-Za-z0-9]/.test(escaped) ? escaped : `0~${escaped}`;
};

/** Stands in the ids of users whom another system knows, behind its prefix; no user of ours has it in his. */
export const FOREIGN = "~~";
