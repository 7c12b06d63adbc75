import { argon2, pbkdf2, randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { hash as bcrypt } from "bcryptjs";
import { Unavailable } from "../../mixins/core/errors.ts";

/** OWASP's Password Storage cheat sheet: argon2id over 19 MiB (in KiB here), twice, in one lane. */
const TODAY = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 };
const TODAYS = `$argon2id$v=19$m=${TODAY.memory},t=${TODAY.passes},p=${TODAY.parallelism}$`;
const MOST_MEMORY = 2 ** 30; // bytes, for one hash of another system
const MOST_BYTES = 1024; // of a password
/** About how many milliseconds of a core an imported hash may take to check: less is guessed too soon, and more holds up everybody's logins. */
const [LEAST_WORK, MOST_WORK] = [5, 2_000];
const LEAST_CHARACTERS = 12;
const LEAST_OWN = 6;

/** Each hashing is 19 MB and one of the four threads that file access and DNS need as well, for some 50 ms. */
const AT_ONCE = 2;
const IN_WAITING = 100;

const argon2Of = promisify(argon2);
const pbkdf2Of = promisify(pbkdf2);
const scryptOf = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt);

interface Kept {
  tag: Buffer;
  /** Milliseconds of a core, about, as this small machine has them. */
  work: number;
  derive(password: string): Promise<Buffer>;
}
export interface Verdict {
  readonly fits: boolean;
  /** It fits, and is to be hashed anew while the password is at hand: the hash is not one that `hashPassword` makes. */
  readonly outdated: boolean;
}
const NO: Verdict = Object.freeze({ fits: false, outdated: false });

/**
 * The password's hash, as PHC text. What is hashed is its NFKC form in UTF-8, so that it fits from any keyboard (NIST SP 800-63B-3,
 * 5.1.1.2). Throws `RangeError` where that is over 1,024 bytes, `PASSWORDS_BUSY` when too many wait.
 */
export const hashPassword = async (password: string): Promise<string> => {
  const message = password.normalize("NFKC");
  if (tooLong(message)) throw new RangeError(`A password has at most ${MOST_BYTES} bytes`);
  const nonce = randomBytes(16);
  return phc(nonce, await inTurn(() => argon2Of("argon2id", { ...TODAY, message, nonce })));
};

/**
 * Whether it is the password of a stored hash: one of ours, or one that `acceptedHash` takes. A hash that it does not take is
 * nobody's. Other systems hashed what was typed, without NFKC ("m²" stays "m²"), so that is tried too where it differs.
 * Throws `PASSWORDS_BUSY` when too many wait.
 */
export const verifyPassword = async (password: string, stored: string): Promise<Verdict> => {
  const hash = read(stored);
  const normal = password.normalize("NFKC");
  if (!hash || tooLong(normal)) return NO;
  return inTurn(async () => {
    if (timingSafeEqual(await hash.derive(normal), hash.tag)) return { fits: true, outdated: !isOfToday(stored) };
    if (password === normal || tooLong(password)) return NO;
    const fits = timingSafeEqual(await hash.derive(password), hash.tag);
    return { fits, outdated: fits };
  });
};

/**
 * Takes as long as a wrong password for a hash of today, so that the time does not tell which e-mails have an account. (Those
 * whose hash came from another system take that one's time until their next login.)
 */
export const verifyNobody = (password: string): Promise<Verdict> => verifyPassword(password, NOBODYS);

/** Whether a hash is of a form that is verified. */
export const acceptedHash = (stored: string): boolean => read(stored) !== undefined;

/** Why a hash of another system may not be imported; undefined where it may. */
export const unfitHash = (stored: string): string | undefined => {
  const hash = read(stored);
  if (!hash) return "It is none of argon2id, bcrypt, scrypt (PHC), PBKDF2 (passlib's, or Django's) with parameters in use";
  if (hash.work < LEAST_WORK) return "It is guessed too soon: give this user a link for a new password";
  return hash.work > MOST_WORK ? "Checking it would take too long: give this user a link for a new password" : undefined;
};

/**
 * What would make it a good password; undefined when it is one. Length and a list of what is tried first, no rules on which
 * characters (NIST SP 800-63B-4, 3.1.1.2). What anybody would try is taken away, and enough must be left.
 */
export const weakness = (password: string, email: string): string | undefined => {
  const text = password.normalize("NFKC");
  if ([...text].length < LEAST_CHARACTERS) return `Take at least ${LEAST_CHARACTERS} characters: a few words do`;
  if (tooLong(text)) return `Take at most ${MOST_BYTES} bytes, which is as many plain letters`;
  const address = email.normalize("NFKC").toLowerCase();
  const local = address.split("@")[0]!;
  const foreign = text
    .toLowerCase()
    .replaceAll(address, "")
    .replaceAll(local.length < 4 ? address : local, "")
    .replace(COMMON, "")
    .replace(/(.{1,8}?)\1+/gsu, "$1"); // a piece over and over counts once
  const own = [...foreign].filter((character, i, all) => !STEPS.has(all[i - 1] + character)).length;
  if (own >= LEAST_OWN) return undefined;
  return `Take at least ${LEAST_OWN} characters more that nobody would guess: the e-mail, common passwords, years, rows of keys and repetitions do not count`;
};

/** The words that the lists of leaked passwords are made of, and years. */
const COMMON = new RegExp(
  "p[a4@][s5$]{1,2}(w[o0]r[dt]|phrase)?|abc123|access|admin(istrator)?|azerty|baseball|batman|changeme|charlie|computer|default|dragon|" +
    "flower|football|freedom|geheim|hallo|hello|hunter|iloveyou|jordan|killer|letme(in)?|liverpool|login|lovely|master|michael|monkey|" +
    "mustang|ninja|passw|princess|qazwsx|qwerty|qwertz|samsung|secret|server|shadow|soccer|starwars|sunshine|superman|superuser|test(ing)?|" +
    "thomas|trustno1|user(name)?|welcome|whatever|willkommen|banyan|spring|summer|autumn|winter|fr[uü]hling|sommer|herbst|(19|20)\\d\\d",
  "gu",
);
/** Each character with its neighbour on the keyboard or in the alphabet, both ways. */
const ROWS =
  "1234567890 !@#$%^&*() qwertyuiop qwertzuiop azertyuiop asdfghjkl zxcvbnm yxcvbnm 1qaz 2wsx 3edc 4rfv 5tgb 6yhn 6zhn 7ujm abcdefghijklmnopqrstuvwxyz";
const STEPS = new Set(ROWS.split(" ").flatMap((row) => [...row.slice(1)].flatMap((key, i) => [row[i] + key, key + row[i]])));

const tooLong = (text: string): boolean => Buffer.byteLength(text) > MOST_BYTES;

/** Base64 without padding, as PHC wants it. */
const bare = (bytes: Buffer): string => bytes.toString("base64").replace(/=+$/, "");
const phc = (salt: Buffer, tag: Buffer): string => `${TODAYS}${bare(salt)}$${bare(tag)}`;
const isOfToday = (stored: string): boolean => stored.startsWith(TODAYS) && stored.length === NOBODYS.length;

/** Of no password: its tag is random. */
const NOBODYS = phc(randomBytes(16), randomBytes(TODAY.tagLength));

/** Undefined where it is not base64 in its one form: Node itself passes over what it does not know. */
const bytesOf = (text: string): Buffer | undefined => {
  const bytes = Buffer.from(text, "base64");
  return bare(bytes) === text ? bytes : undefined;
};

type Derive = (password: string, salt: Buffer) => Promise<Buffer>;
const kept = (work: number, salt: Buffer | undefined, tag: Buffer | undefined, derive: Derive) =>
  salt && tag && { tag, work, derive: (password: string) => derive(password, salt) };

/** RFC 9106, in the form of the reference implementation. */
const argon2id = (m: string, t: string, p: string, salt: string, tag: string): Kept | undefined => {
  const [memory, passes, parallelism] = [Number(m), Number(t), Number(p)];
  if (memory * 1024 > MOST_MEMORY || memory < 8 * parallelism || passes > 20 || parallelism > 16) return undefined;
  const expected = bytesOf(tag);
  const tagLength = expected?.length ?? 0;
  return kept((memory * passes) / 778, bytesOf(salt), expected, (message, nonce) =>
    argon2Of("argon2id", { message, nonce, memory, passes, parallelism, tagLength }),
  );
};

/**
 * Runs on the event loop, not on a thread, in slices of 100 ms: cost 12 takes about 0.25 s of it in all, and each step of
 * cost doubles it (16: 4 s). An imported user costs that once, at the first login. Only the first 72 bytes count, as in the
 * system that made the hash. The salt's last character has bits without meaning, which only some systems keep: not compared.
 */
const bcrypted = (salt: string, tag: string): Kept => ({
  work: 2 ** (Number(salt.slice(4, 6)) - 4),
  tag: Buffer.from(tag),
  derive: async (password) => Buffer.from((await bcrypt(password, salt)).slice(-tag.length)),
});

/** RFC 7914. The lanes run one after another: they count as time, and time is bounded as memory is. */
const scrypted = (ln: string, r: string, p: string, salt: string, tag: string): Kept | undefined => {
  const [cost, blockSize, parallelization] = [2 ** Number(ln), Number(r), Number(p)];
  if (128 * cost * blockSize * parallelization > MOST_MEMORY) return undefined;
  return kept((cost * blockSize * parallelization) / 2_600, bytesOf(salt), bytesOf(tag), (password, bytes) =>
    scryptOf(password, bytes, 32, { cost, blockSize, parallelization, maxmem: 2 * MOST_MEMORY }),
  );
};

/** RFC 8018 as passlib writes it, with "." for "+". */
const passlib = (digest: string, rounds: string, salt: string, tag: string): Kept | undefined => {
  const [bytes, expected] = [bytesOf(salt.replaceAll(".", "+")), bytesOf(tag.replaceAll(".", "+"))];
  return kept(
    Number(rounds) / 2_000,
    bytes,
    expected?.length === (digest === "sha256" ? 32 : 64) ? expected : undefined,
    (password, nonce) => pbkdf2Of(password, nonce, Number(rounds), expected!.length, digest),
  );
};

/** The same as Django writes it: its salt is plain text. */
const django = (rounds: string, salt: string, tag: string): Kept | undefined =>
  kept(Number(rounds) / 2_000, Buffer.from(salt), bytesOf(tag), (password, bytes) =>
    pbkdf2Of(password, bytes, Number(rounds), 32, "sha256"),
  );

/** A salt has 8 to 64 bytes. Where a shorter tag would be the beginning of a longer one, only the whole one is a form. */
const FORMS: [RegExp, (...parts: string[]) => Kept | undefined][] = [
  [/^\$argon2id\$v=19\$m=([1-9]\d{0,6}),t=([1-9]\d?),p=([1-9]\d?)\$([^$]{11,86})\$([^$]{22,86})$/, argon2id],
  [/^(\$2[aby]\$(?:0[4-9]|1[0-6])\$[./A-Za-z0-9]{22})([./A-Za-z0-9]{31})$/, bcrypted],
  [/^\$scrypt\$ln=([1-9]\d?),r=([1-9]\d?),p=([1-9]\d?)\$([^$]{11,86})\$([^$]{43})$/, scrypted],
  [/^\$pbkdf2-(sha256|sha512)\$([1-9]\d{0,6})\$([^$+]{11,86})\$([^$+]{43}|[^$+]{86})$/, passlib],
  [/^pbkdf2_sha256\$([1-9]\d{0,6})\$([^$\s]{8,64})\$([^$]{43})=$/, django],
];

const read = (stored: string): Kept | undefined => {
  for (const [form, reader] of FORMS) {
    const parts = form.exec(stored);
    if (parts) return reader(...parts.slice(1));
  }
  return undefined;
};

let running = 0;
const waiting: (() => void)[] = [];

/** Runs it when it is its turn. Who is done hands its place to the next, so no newcomer slips in between. */
const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
  if (running < AT_ONCE) running++;
  else if (waiting.length < IN_WAITING) await new Promise<void>((resolve) => waiting.push(resolve));
  else throw new Unavailable("PASSWORDS_BUSY", "Too many logins at once: send it again in a moment");
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else running--;
  }
};
