import type { IncomingMessage } from "node:http";
import type { Meta } from "../../mixins/core/context.ts";
import { Rejected } from "../../mixins/core/errors.ts";
import type { Route } from "./router.ts";

const KEY = /^[\x20-\x7e]{1,255}$/;
const TAG = /^(W\/)?"[\x21\x23-\x7e]*"$/;
const OURS = /^"(\d{1,15})(?:-br|-gzip)?"$/;

/** What the headers of a write say about when it is to be done: only once (`Idempotency-Key`), only to that version (`If-Match`). */
export const readConditions = (req: IncomingMessage, route: Route, meta: Meta): void => {
  const key = req.headers["idempotency-key"];
  if (key !== undefined) {
    if (typeof key !== "string" || !KEY.test(key)) {
      throw new Rejected("MALFORMED_IDEMPOTENCY_KEY", "An Idempotency-Key has 1 to 255 printable ASCII characters", 400);
    }
    meta.idempotencyKey = key;
  }
  const tag = req.headers["if-match"];
  if (tag === undefined) {
    if (route.http.ifMatch === "required") {
      throw new Rejected("VERSION_REQUIRED", 'Say with If-Match which version this is meant for: the ETag of what you read, like "3"', 428);
    }
  } else if (tag !== "*") {
    if (!TAG.test(tag)) throw new Rejected("MALFORMED_IF_MATCH", 'If-Match must be one ETag, like "3"', 400);
    const version = OURS.exec(tag)?.[1];
    if (!version) throw new Rejected("VERSION_MISMATCH", "If-Match names no version that this ever had", 412);
    meta.ifVersion = Number(version);
  }
};
