import type { Route } from "./router.ts";

/** A spreadsheet runs what begins like this; a number may. */
const FORMULA = /^[=+\-@\t\r]/;
const NUMBER = /^-?\d+(\.\d+)?$/;

const cell = (value: unknown): string => {
  if (value === undefined || value === null) return "";
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  const safe = FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

/** Items as a table (RFC 4180): the fields that any of them has are its columns, in the order they come; `empty` where there are none. */
export const csvOf = (items: readonly object[], empty: readonly string[] = []): string => {
  const columns = items.length === 0 ? empty : [...new Set(items.flatMap((item) => Object.keys(item)))];
  const rows = items.map((item) => columns.map((column) => cell((item as Record<string, unknown>)[column])).join(","));
  return [columns.map(cell).join(","), ...rows, ""].join("\r\n");
};

/** Whether the client would rather have a table: it names text/csv, and not JSON before it. */
export const wantsCsv = (accept: string | undefined): boolean => {
  if (!accept?.includes("text/csv")) return false;
  const json = accept.indexOf("application/json");
  return json < 0 || accept.indexOf("text/csv") < json;
};

/** The columns of a table that has no rows. */
export const columnsOf = ({ action }: Route): string[] => {
  const { items } = (action?.returns ?? {}) as { items?: { items?: { props?: object } } };
  return Object.keys(items?.items?.props ?? {});
};
