/**
 * The one list of words that no name of a field has, at any depth, whose value stands in a log: `accessToken`, `set-cookie`, `KEY_FILE` …
 * Numbers and booleans stay, for they tell nothing (`keys: 3`).
 */
export const SECRET_WORDS: ReadonlySet<string> = new Set([
  ...[
    "password",
    "passphrase",
    "secret",
    "token",
    "authorization",
    "cookie",
    "credential",
    "key",
    "hash",
    "digest",
    "salt",
    "otp",
    "totp",
    "jwk",
    "pem",
  ],
  ...["contacts", "email", "phone", "tax"],
]);

export const HIDDEN = "[hidden]";
const DEEPEST = 8;
const MOST = 1_000; // values of one line that are looked at; what is behind them is left out
const names = new Map<string, boolean>();
const MOST_NAMES = 5_000;

/** Whether what stands under this name is nobody's to read. */
export const isSecretName = (name: string): boolean => {
  const known = names.get(name);
  if (known !== undefined) return known;
  const words = name
    .replace(/([a-z0-9])([A-Z])|([A-Z])(?=[A-Z][a-z])/g, "$1$3 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/);
  const secret = words.some(
    (word) => SECRET_WORDS.has(word) || SECRET_WORDS.has(word.replace(/e?s$/, "")) || SECRET_WORDS.has(word.replace(/s$/, "")),
  );
  if (names.size < MOST_NAMES) names.set(name, secret);
  return secret;
};

/** The same without what must not be read; errors with what they carry. What is not looked at, because it lies too deep or is too much, is left out as well. */
export const redacted = (value: unknown): unknown => {
  let left = MOST;
  const walk = (part: unknown, depth: number): unknown => {
    if (typeof part !== "object" || part === null) return part;
    if (depth > DEEPEST || left-- <= 0) return HIDDEN;
    if (part instanceof Error) return walkError(part, depth);
    if (Array.isArray(part)) return part.map((item) => walk(item, depth + 1));
    if (part instanceof Date || ArrayBuffer.isView(part)) return part instanceof Date ? part : HIDDEN;
    const { toJSON } = part as { toJSON?: unknown };
    if (typeof toJSON === "function") return walk(toJSON.call(part, ""), depth + 1);
    return walkFields(part, depth);
  };
  const walkFields = (part: object, depth: number): object =>
    Object.fromEntries(Object.entries(part).map(([name, one]) => [name, hides(name, one) ? HIDDEN : walk(one, depth + 1)]));
  const walkError = (error: Error, depth: number): object => ({
    ...walkFields(error, depth),
    type: error.constructor.name,
    message: error.message,
    stack: error.stack,
    ...(error.cause !== undefined && { cause: walk(error.cause, depth + 1) }),
  });
  return walk(value, 0);
};

const hides = (name: string, value: unknown): boolean =>
  value !== undefined && typeof value !== "number" && typeof value !== "boolean" && isSecretName(name);
