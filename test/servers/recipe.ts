import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

/** Where programs that no package manager keeps are put, once for all checkouts. */
export const SHELF = join(homedir(), ".cache", "banyan", "servers");

/** How a program gets onto this machine: the command that runs it, if it is there, and how it is fetched if not. */
export interface Recipe {
  readonly name: string;
  /** The beginning of the command line that runs it; undefined where it is not installed. */
  found(): string[] | undefined;
  /** Programs without which it cannot be installed here. */
  readonly needs: readonly string[];
  install(): Promise<void>;
}

export const onPath = (program: string): string | undefined =>
  (process.env.PATH ?? "")
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find(isProgram);

export const isProgram = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return existsSync(path);
  } catch {
    return false;
  }
};

const PATIENCE = 300_000; // a registry that does not answer must not hold a build for ever

/** Runs a command to its end and answers what it printed; what it complained of is in the error where it fails. */
export const run = async (
  command: string,
  args: string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<string> => {
  const env = { ...process.env, ...options.env };
  const child = spawn(command, args, { cwd: options.cwd, env, stdio: ["ignore", "pipe", "pipe"], timeout: PATIENCE });
  let [printed, said] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    printed += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-2_000);
  });
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code ?? signal}:\n${printed.slice(-2_000)}${said}`);
  return printed;
};

/** Makes the folder whole or not at all, so that an install that was interrupted, or runs twice at once, is never taken for one. */
export const shelve = async (name: string, fill: (folder: string) => Promise<void>): Promise<void> => {
  const [target, partial] = [join(SHELF, name), join(SHELF, `${name}.partial-${process.pid}`)];
  mkdirSync(partial, { recursive: true });
  try {
    await fill(partial);
    if (!existsSync(target)) renameSync(partial, target);
  } catch (error) {
    if (!existsSync(target)) throw error; // another process was first
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
};

/** Installs what of these is missing and can be had; answers why the rest cannot, by name. */
export const installAll = async (recipes: Iterable<Recipe>, tell: (line: string) => void): Promise<Record<string, string>> => {
  const failed: Record<string, string> = {};
  for (const { name, found, needs, install } of recipes) {
    if (found()) continue;
    const lacking = needs.filter((program) => !onPath(program));
    if (lacking.length > 0) {
      failed[name] = `it takes ${lacking.join(" and ")} to install it here`;
      continue;
    }
    tell(`Installing ${name} …`);
    const start = Date.now();
    try {
      await install();
      if (!found()) throw new Error("it was installed, and is not where it should be");
      tell(`Installed ${name} in ${Math.round((Date.now() - start) / 1000)} s`);
    } catch (error) {
      failed[name] = (error as Error).message;
    }
  }
  return failed;
};
