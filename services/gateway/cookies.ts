import { hash, timingSafeEqual } from "node:crypto";
import { Rejected } from "../../mixins/core/errors.ts";

/** A login in a browser's cookies: its scripts never see a token. `__Host-`: no other host sets them, and they go over TLS (or to localhost) alone. */
const ACCESS = "__Host-banyan-access";
const REFRESH = "__Host-banyan-refresh";
/** What scripts may read, and send back in a header: another site's pages cannot. */
const PROOF = "__Host-banyan-csrf";
const HIDDEN = "; Path=/; Secure; HttpOnly; SameSite=Strict";
const SHOWN = "; Path=/; Secure; SameSite=Strict";
const WEEKS = 14 * 86_400; // seconds: as long as a session lasts without use

export interface Granted {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresIn: number;
  readonly user: string;
}

/** What a cookie says; undefined where it is not there, or there twice: which one counts would be a guess. */
const cookieIn = (cookies: string | undefined, name: string): string | undefined => {
  if (!cookies) return undefined;
  const found = cookies.split(";").flatMap((one) => {
    const [key = "", ...value] = one.trim().split("=");
    return key === name ? [value.join("=")] : [];
  });
  return found.length === 1 && found[0] !== "" ? found[0] : undefined;
};

export const accessIn = (cookies: string | undefined): string | undefined => cookieIn(cookies, ACCESS);

/** What a page of ours has to send along: it follows from the refresh token, which no page sees. */
const proofOf = (refreshToken: string): string => hash("sha256", `csrf ${refreshToken}`, "base64url");

/**
 * Throws `CSRF_REFUSED` where a change is asked for in the name of a cookie and the header does not say what the page was told: any site may have a
 * browser send our cookies, none but ours can read what goes beside them.
 */
export const requireProof = (cookies: string | undefined, header: string | string[] | undefined): void => {
  const refresh = cookieIn(cookies, REFRESH);
  if (refresh && typeof header === "string" && same(header, proofOf(refresh))) return;
  throw new Rejected("CSRF_REFUSED", "With cookies, a change takes the header X-CSRF-Token as the cookie __Host-banyan-csrf has it", 403);
};

const same = (a: string, b: string) => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));

/** The refresh token that goes on in cookies. Throws `CSRF_REFUSED` as above. */
export const refreshIn = (cookies: string | undefined, header: string | string[] | undefined): string | undefined => {
  const refresh = cookieIn(cookies, REFRESH);
  if (refresh) requireProof(cookies, header);
  return refresh;
};

/** The answer to whoever logs in, or goes on, with cookies, and the headers that set them. */
export const inCookies = ({ accessToken, refreshToken, expiresIn, user }: Granted): { headers: string[]; answer: object } => {
  const csrfToken = proofOf(refreshToken);
  const set = [
    `${ACCESS}=${accessToken}${HIDDEN}; Max-Age=${expiresIn}`,
    `${REFRESH}=${refreshToken}${HIDDEN}; Max-Age=${WEEKS}`,
    `${PROOF}=${csrfToken}${SHOWN}; Max-Age=${WEEKS}`,
  ];
  return { headers: set.flatMap((cookie) => ["Set-Cookie", cookie]), answer: { user, expiresIn, csrfToken } };
};

/** Takes them away. */
export const noCookies = (): string[] =>
  [`${ACCESS}=${HIDDEN}`, `${REFRESH}=${HIDDEN}`, `${PROOF}=${SHOWN}`].flatMap((cookie) => ["Set-Cookie", `${cookie}; Max-Age=0`]);
