import { createHash } from "node:crypto";

/**
 * Loaded before anything else in every process of a test run on the cluster's servers (`NODE_OPTIONS`): what embedded is a
 * folder of its own is a namespace of its own here. Processes that share a `DATA_DIR` share it, and no others.
 */
const NAMES = ["NAMESPACE"];
process.env = new Proxy(process.env, {
  get: (env, name) => (NAMES.includes(name) && env[name] === undefined && env.DATA_DIR ? namespaceOf(env.DATA_DIR) : env[name]),
});

const namespaceOf = (folder) => `t${createHash("sha256").update(folder).digest("hex").slice(0, 12)}`;
