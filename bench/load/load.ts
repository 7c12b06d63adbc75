import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { pinned } from "../server.ts";
import type { Outcome, Plan, Reply } from "./plan.ts";

/** The client's process: one for the whole bench, so that it is as warm for the first system as for the last. */
export class Load {
  readonly #process: ChildProcess;

  constructor() {
    const [command, args] = pinned(1, process.execPath, [join(import.meta.dirname, "client.ts")]);
    this.#process = spawn(command, args, { stdio: ["ignore", "inherit", "inherit", "ipc"], serialization: "advanced" });
  }

  /** Runs one plan; throws where an answer was wrong, or none came. */
  async run(plan: Plan): Promise<Outcome> {
    this.#process.send(plan);
    const ended = once(this.#process, "exit").then(() => [{ error: "the client died" }]);
    const [reply] = (await Promise.race([once(this.#process, "message"), ended])) as [Reply];
    if ("error" in reply) throw new Error(reply.error);
    return reply.outcome;
  }

  stop() {
    this.#process.disconnect();
  }
}
