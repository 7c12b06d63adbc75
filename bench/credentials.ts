import { operatorKeyOf, signed } from "../mixins/trust/access-token.ts";

const DAY = 86_400;
const MASTER_KEY = Buffer.alloc(32, "the key of all benches");

/** What the systems of a bench take for their keys, and who asks them: an operator, on each request. */
export const keys = { MASTER_KEY: MASTER_KEY.toString("base64"), ISSUER: "bench" };
export const authorization = `Bearer ${await signed(operatorKeyOf(MASTER_KEY), keys.ISSUER, { id: "bench", roles: ["admin"] }, DAY)}`;
