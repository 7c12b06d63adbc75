// Loaded before anything else (`node --import`), and plain JavaScript, so that an older Node can say what is missing:
// by itself it would stop at the first .ts file with an error that helps nobody.
import module from "node:module";
import { join } from "node:path";

const version = process.versions.node;
if (Number(version.split(".")[0]) < 26) {
  console.error(
    `Banyan needs Node 26, this is ${version}. "npm ci" brings one along, as the npm package "node"; if its install script did not run, "npm rebuild node" does it now.`,
  );
  process.exit(2);
}
module.enableCompileCache(join(import.meta.dirname, "../../node_modules/.cache/node"));
