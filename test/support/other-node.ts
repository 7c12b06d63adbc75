import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type Calls, callsIn } from "./child.calls.ts";

export interface OtherNode {
  /** Rejects with what the room refused it with, or with the type `KILLED`. */
  readonly call: Calls;
  /** Ends it as a power cut would. */
  kill(): Promise<void>;
  /** Holds it still, as a long pause of the machine would, and lets it go on. */
  pause(): void;
  resume(): void;
}

/** A node in another process on the same files, with the rooms of these modules (paths from the root of the house). It ends with the test. */
export const startOtherNode = async (t: TestContext, dataDir: string, ...modules: string[]): Promise<OtherNode> => {
  const child = fork(join(import.meta.dirname, "node.process.ts"), modules, { env: { ...process.env, DATA_DIR: dataDir } });
  const gone = once(child, "exit");
  t.after(async () => {
    child.kill("SIGKILL");
    await gone;
  });
  const started = await Promise.race([once(child, "message"), gone.then(() => undefined)]);
  if (!started) throw new Error("The other node did not start");
  return {
    call: callsIn(child, gone),
    async kill() {
      child.kill("SIGKILL");
      await gone;
    },
    pause: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
  };
};

/** Looks again and again until it is so; the test's own time limit ends it. */
export const until = async <T>(look: () => Promise<T | undefined | false> | T | undefined | false): Promise<T> => {
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    await new Promise((done) => setTimeout(done, 5));
  }
};
