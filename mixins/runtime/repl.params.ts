import type { ActionSchema, ServiceBroker } from "moleculer";

type Values = Record<string, unknown>;

/**
 * Gives what was typed the types that the action asks for. A command line knows text alone, and Moleculer's REPL takes
 * whatever looks like a number for one: without this the deal 536365 could not be asked for.
 */
export const fit = (broker: ServiceBroker, action: string, params: Values): Values => {
  const list = broker.registry.getActionList({ onlyLocal: true, withEndpoints: false }) as unknown as {
    name: string;
    action?: ActionSchema;
  }[];
  const rules = list.find(({ name }) => name === action)?.action?.params as Values | undefined;
  return rules ? Object.fromEntries(Object.entries(params).map(([name, value]) => [name, as(typeOf(rules[name]), value)])) : params;
};

const typeOf = (rule: unknown): string | undefined =>
  typeof rule === "string" ? (rule.endsWith("[]") ? "array" : rule.split("|")[0]) : (rule as { type?: string } | undefined)?.type;

const as = (type: string | undefined, value: unknown): unknown => {
  if (type === "string" && (typeof value === "number" || typeof value === "boolean")) return String(value);
  if (typeof value !== "string") return value;
  if (type === "number" && value.trim() !== "" && Number.isFinite(Number(value))) return Number(value);
  if (type === "boolean" && (value === "true" || value === "false")) return value === "true";
  if ((type === "array" || type === "object") && /^\s*[[{]/.test(value)) return JSON.parse(value);
  return value;
};

/**
 * Splits a line into words as a shell does: quotes keep spaces, a backslash in double quotes keeps what follows. A JSON
 * object is one word as it stands.
 */
export const words = (line: string): string[] => (line.match(/\{.*\}|(?:[^\s"']+|"(?:\\.|[^"\\])*"|'[^']*')+/g) ?? []).map(unquoted);

const unquoted = (word: string) =>
  word.startsWith("{")
    ? word
    : word.replace(/"((?:\\.|[^"\\])*)"|'([^']*)'/g, (_, double?: string, single?: string) => double?.replace(/\\(.)/g, "$1") ?? single!);

/** Splits words into operands and `--name value`, `--name=value` or a bare `--name`, which is true. */
export const split = (typed: string[]): { operands: string[]; options: Values } => {
  const operands: string[] = [];
  const options: Values = {};
  for (let i = 0; i < typed.length; i++) {
    const word = typed[i]!;
    const [, name, value] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === undefined) operands.push(word);
    else if (value !== undefined) options[name] = value;
    else if (typed[i + 1] === undefined || typed[i + 1]!.startsWith("--")) options[name] = true;
    else options[name] = typed[++i];
  }
  return { operands, options };
};
