import type { ChildProcess } from "node:child_process";

const children = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

/** Lets a process live no longer than this one, even if it stands still and does not hear that its parent is gone. */
export const endWithUs = (child: ChildProcess): void => {
  children.add(child);
  child.once("exit", () => children.delete(child));
};
