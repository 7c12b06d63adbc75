import { Rejected } from "../core/errors.ts";
import type { RequestKey } from "./collection-store.ts";
import type { Answered, DocumentRow } from "./mongo.rows.ts";

const MOST = 32; // keys on one document
const MOST_TEXT = 65_536; // characters of their answers; the last one always stays
const KEPT_FOR = 86_400_000; // milliseconds

/** What was answered under this key, where one of the documents that the request is about has it. Throws `KEY_REUSED` for another request. */
export const recalled = (rows: Iterable<DocumentRow>, { once, digest }: RequestKey, now: number): Answered | undefined => {
  for (const { _write } of rows) {
    const before = _write.keys?.find((key) => key.once === once && key.at >= now - KEPT_FOR);
    if (!before) continue;
    if (before.digest !== digest) throw new Rejected("KEY_REUSED", "This key came with another request before");
    return before;
  }
  return undefined;
};

/** The row with one more key, in the same write. The oldest are forgotten where they are too many, and after a day. */
export const remembering = (row: DocumentRow, { once, digest }: RequestKey, answer: unknown, now: number): DocumentRow => {
  const last: Answered = { once, ...(digest !== undefined && { digest }), answer: JSON.stringify(answer) ?? "null", at: now };
  const keys = [last];
  let text = last.answer.length;
  for (const key of (row._write.keys ?? []).toReversed()) {
    text += key.answer.length;
    if (keys.length === MOST || text > MOST_TEXT || key.at < now - KEPT_FOR) break;
    keys.unshift(key);
  }
  return { ...row, _write: { ...row._write, keys } };
};
