/** The surroundings are not as they must be (a setting, a folder, a port); the message says in one line what to do about it. */
export class Refused extends Error {}

/** The command line is not as it must be. */
export const isMisuse = ({ code }: Error & { code?: unknown }): boolean => typeof code === "string" && code.startsWith("ERR_PARSE_ARGS");

/** Ends the process: with the reason alone where the surroundings are to blame, with the whole error where the program is. */
export const exitFor = (error: unknown): never => {
  console.error(error instanceof Refused ? error.message : error);
  process.exit(error instanceof Refused ? 2 : 1);
};
