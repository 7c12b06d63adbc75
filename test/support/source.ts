import { globSync, readFileSync } from "node:fs";
import { join } from "node:path/posix";
import { HOUSE } from "./system.ts";

export interface Import {
  /** A path from the root of the house for what is ours, a package's name for what is not. */
  to: string;
  typeOnly: boolean;
}

export interface Source {
  path: string;
  text: string;
  /** Without comments, and without what stands between quotes. */
  code: string;
  imports: Import[];
}

/** All our TypeScript; not what a bench's peers consist of. */
export const readHouse = (): Source[] =>
  globSync(["*.ts", "{services,mixins,test,bench}/**/*.ts"], { cwd: HOUSE, exclude: ["**/node_modules/**", "bench/peers/**", ".*"] })
    .sort()
    .map((path) => source(path, readFileSync(join(HOUSE, path), "utf8")));

export const source = (path: string, text: string): Source => ({ path, text, code: bare(text), imports: importsOf(path, text) });

const bare = (text: string) =>
  text.replace(/`(?:\\.|[^`\\])*`|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, (found) =>
    found.startsWith("/") ? "" : '""',
  );

const IMPORT = /^\s*(?:import|export)\s+(type\s+)?(?:([^"';]*?)\s*from\s*)?["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/gm;

const importsOf = (path: string, text: string): Import[] =>
  [...text.matchAll(IMPORT)].map(([, type, names, from, dynamic]) => {
    const to = (from ?? dynamic)!;
    const inner = names?.match(/^\{([\s\S]*)\}$/)?.[1];
    const allTypes = inner?.split(",").every((name) => !name.trim() || name.trim().startsWith("type ")) ?? false;
    return { to: to.startsWith(".") ? join(path, "..", to) : to, typeOnly: type !== undefined || allTypes };
  });
