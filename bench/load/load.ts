import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { pinned } from "../server.ts";
import type { Outcome, Plan, Reply } from "./plan.ts";

/** The client's process: one for the whole bench, so that it is as warm for the first system as for the last. */
export class Load {
  readonly #process: ChildProcess;
  #replied: (reply: Reply) => void = () => {};

  constructor() {
    const [command, args] = pinned(1, process.execPath, [join(import.meta.dirname, "client.ts")]);
    this.#process = spawn(command, args, { stdio: ["ignore", "inherit", "inherit", "ipc"], serialization: "advanced" });
    this.#process.on("message", (reply: Reply) => this.#replied(reply));
    this.#process.on("exit", () => this.#replied({ error: "the client died" }));
  }

  /** Runs one plan; throws where an answer was wrong, or none came. */
  async run(plan: Plan): Promise<Outcome> {
    const reply = await new Promise<Reply>((resolve) => {
      this.#replied = resolve;
      this.#process.send(plan);
    });
    if ("error" in reply) throw new Error(reply.error);
    return reply.outcome;
  }

  stop() {
    this.#process.disconnect();
  }
}
