/**
 * Exact arithmetic on decimal strings, as scaled integers: at most 4 decimals in what is entered (a rate, a quantity),
 * at most 8 in what is calculated (a rate times a quantity). No float ever holds money.
 */
const SCALE = 8;
const ENTERED = 4;
const ONE = 10n ** 8n;
const POWERS = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8];
const SAFE = BigInt(Number.MAX_SAFE_INTEGER);
const ZERO = 48;
const MINUS = 45;
const DOT = 46 - ZERO;

const CANONICAL = /^(0|-?[1-9]\d*|-?(0|[1-9]\d*)\.\d{0,7}[1-9])$/; // most are: a look costs a tenth of making them so

/** What may be entered as a quantity: positive or zero, 12 digits, 4 decimals. */
export const quantity = {
  type: "string",
  pattern: "^\\d{1,12}(\\.\\d{1,4})?$",
  messages: {
    stringPattern: "The '{field}' field must be a decimal in a string, not below zero, with up to 12 digits and 4 decimals, like '2.55'",
  },
} as const;
/** What may be entered as money or a rate: the same, also below zero. */
export const money = {
  type: "string",
  pattern: "^-?\\d{1,12}(\\.\\d{1,4})?$",
  messages: { stringPattern: "The '{field}' field must be a decimal in a string with up to 12 digits and 4 decimals, like '2.55'" },
} as const;
/** What comes out of a calculation. */
export const amount = { type: "string", pattern: "^-?\\d{1,30}(\\.\\d{1,8})?$" } as const;

/** A decimal as a whole number of 10⁻⁸. Throws `RangeError` on what is no decimal with at most 8 decimals. */
export const units = (text: string): bigint => {
  const small = smallUnits(text, SCALE);
  return small === undefined ? largeUnits(text) : BigInt(small);
};

/** The same in 10⁻ˢᶜᵃˡᵉ where it is below 2⁵³, as almost all are, read digit by digit: a quarter of the time. Undefined where it is not, or no decimal. */
const smallUnits = (text: string, scale: number): number | undefined => {
  const { length } = text;
  const below = text.charCodeAt(0) === MINUS;
  let value = 0;
  let dot = -1;
  if (length > 15 || length === 0) return undefined;
  for (let i = below ? 1 : 0; i < length; i++) {
    const digit = text.charCodeAt(i) - ZERO;
    if (digit >= 0 && digit <= 9) value = value * 10 + digit;
    else if (digit === DOT && dot < 0 && i > (below ? 1 : 0)) dot = i;
    else return undefined;
  }
  if (dot === length - 1 || (below && length === 1)) return undefined;
  const decimals = dot < 0 ? 0 : length - dot - 1;
  if (decimals > scale) return undefined;
  value *= POWERS[scale - decimals]!;
  return value > Number.MAX_SAFE_INTEGER ? undefined : below ? -value : value;
};

const largeUnits = (text: string): bigint => {
  const dot = text.indexOf(".");
  if (dot < 0) {
    if (!/^-?\d+$/.test(text)) throw new RangeError(`Not a decimal: ${text}`);
    return BigInt(text) * ONE;
  }
  const decimals = text.length - dot - 1;
  if (decimals > SCALE || !/^-?\d+\.\d+$/.test(text)) throw new RangeError(`Not a decimal: ${text}`);
  return BigInt(text.slice(0, dot) + text.slice(dot + 1)) * 10n ** BigInt(SCALE - decimals);
};

/** The canonical text of a whole number of 10⁻⁸: no exponent, no trailing zeros, no `-0`. */
export const decimal = (value: bigint): string => {
  const below = value < 0n;
  const size = below ? -value : value;
  if (size <= SAFE) {
    const number = Number(size);
    const whole = Math.floor(number / 1e8);
    const rest = number % 1e8;
    return `${below ? "-" : ""}${whole}${rest === 0 ? "" : `.${decimalsOf(rest)}`}`;
  }
  const digits = size.toString();
  const rest = digits.slice(-SCALE).replace(/0+$/, "");
  return `${below ? "-" : ""}${digits.slice(0, -SCALE)}${rest && `.${rest}`}`;
};

/** 1 to 8 decimals, without the zeros behind. */
const decimalsOf = (rest: number): string => {
  let decimals = SCALE;
  let short = rest;
  for (; short % 10 === 0; decimals--) short /= 10;
  return String(short).padStart(decimals, "0");
};

/** The one way in which a decimal is kept, however it was typed. */
export const canonical = (text: string): string => (CANONICAL.test(text) ? text : decimal(units(text)));
export const add = (...terms: string[]): string => decimal(terms.reduce((sum, term) => sum + units(term), 0n));
export const subtract = (a: string, b: string): string => decimal(units(a) - units(b));
export const negate = (a: string): string => decimal(-units(a));
/** Below, equal or above: -1, 0 or 1. */
export const compare = (a: string, b: string): -1 | 0 | 1 => {
  const [x, y] = [units(a), units(b)];
  return x < y ? -1 : x > y ? 1 : 0;
};

/** The product of two decimals whose decimals add up to at most 8. Throws `RangeError` where it would have to round. */
export const multiply = (a: string, b: string): string => decimal(multiplied(a, b));

/** The same as a whole number of 10⁻⁸. What was entered has 4 decimals, and its product mostly fits a double. */
export const multiplied = (a: string, b: string): bigint => {
  const [x, y] = [smallUnits(a, ENTERED), smallUnits(b, ENTERED)];
  const small = x === undefined || y === undefined ? Number.NaN : x * y;
  return Math.abs(small) <= Number.MAX_SAFE_INTEGER ? BigInt(small) : times(units(a), units(b));
};
export const times = (a: bigint, b: bigint): bigint => {
  const product = a * b;
  if (product % ONE !== 0n) throw new RangeError("The product has more than 8 decimals");
  return product / ONE;
};
