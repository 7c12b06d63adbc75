import type { Spec } from "./linearizable.ts";

/** An actor as its record has it: commit after commit, each on the one before; who looks at it sees the version it has. */
export type Versioned = { readonly commit: number } | { readonly sees: number };

export const versionsSpec: Spec<number, Versioned, true> = {
  initial: 0,
  step(version, input) {
    if ("commit" in input) return input.commit === version + 1 ? input.commit : undefined;
    return input.sees === version ? version : undefined;
  },
  key: String,
};
