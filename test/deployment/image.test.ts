import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { freePort } from "../servers/start.ts";
import { until } from "../support/other-node.ts";
import { readHouse } from "../support/source.ts";
import { folder, HOUSE } from "../support/system.ts";
import { isPinned, nodeVersion, readText, settings } from "./project.ts";

const dockerfile = readText("Dockerfile").replace(/^#.*$/gm, "").replaceAll("\\\n", " ");
const instructions = [...dockerfile.matchAll(/^([A-Z]+) +(.*)$/gm)].map(([, name, rest]) => ({ name: name!, rest: rest!.trim() }));
const all = (name: string) => instructions.filter((instruction) => instruction.name === name).map(({ rest }) => rest);
const last = (name: string) => all(name).at(-1)!;

/** What it copies from this folder, in its last stage. */
const copied = instructions
  .slice(instructions.findLastIndex(({ name }) => name === "FROM"))
  .filter(({ name, rest }) => name === "COPY" && !rest.startsWith("--from"))
  .map(({ rest }) => ({ from: rest.split(/\s+/).slice(0, -1), to: rest.split(/\s+/).at(-1)! }));
const isTest = (path: string) => path.endsWith(".test.ts");

test("the image has the Node that the tests run on, of a version that it names", () => {
  assert.equal(last("ARG"), `NODE=${nodeVersion}`);
  const images = all("FROM").map((from) => from.split(" ")[0]!.replace(/\$\{NODE\}/, nodeVersion));
  assert.equal(images.length, 2);
  for (const image of images) assert.ok(isPinned(image), image);
});

test("the image runs as nobody in particular, listens where a container must, and sets what there is to set", () => {
  assert.equal(last("USER"), "1000:1000");
  const set = Object.fromEntries(
    last("ENV")
      .split(/\s+/)
      .map((pair) => pair.split("=") as [string, string]),
  );
  assert.deepEqual(set, { HOST: "0.0.0.0", PORT: "3000", STATUS_PORT: "3001" });
  for (const name of Object.keys(set)) assert.ok(settings.has(name), name);
  assert.equal(last("EXPOSE"), `${set.PORT} ${set.STATUS_PORT}`);
  assert.match(last("HEALTHCHECK"), new RegExp(`127\\.0\\.0\\.1:${set.STATUS_PORT}/health/ready`));
});

test("what is copied exists, and the build is given that and no more", () => {
  const ignored = readText(".dockerignore").split("\n");
  assert.equal(ignored.filter((line) => line && !line.startsWith("#"))[0], "*");
  const given = ignored.filter((line) => line.startsWith("!")).map((line) => line.slice(1));
  const wanted = copied.flatMap(({ from }) => from);
  for (const path of wanted) assert.ok(existsSync(join(HOUSE, path)), path);
  assert.deepEqual(
    [...wanted, "package-lock.json", "docs"].sort(), // a folder must be let in before what is in it
    given.sort(),
  );
});

test("it starts as npm start does", () => {
  const { scripts } = JSON.parse(readText("package.json")) as { scripts: { start: string } };
  assert.equal(`exec ${(JSON.parse(last("CMD")) as string[]).join(" ")}`, scripts.start);
});

test("what runs imports no package that only a developer has", () => {
  const { dependencies } = JSON.parse(readText("package.json")) as { dependencies: Record<string, string> };
  const packageOf = (name: string) =>
    name
      .split("/")
      .slice(0, name.startsWith("@") ? 2 : 1)
      .join("/");
  const foreign = readHouse()
    .filter(({ path }) => copied.some(({ from }) => from.some((part) => path === part || path.startsWith(`${part}/`))) && !isTest(path))
    .flatMap(({ path, imports }) => imports.filter(({ typeOnly }) => !typeOnly).map(({ to }) => ({ path, to })))
    .filter(({ to }) => !to.startsWith("node:") && !builtinModules.includes(to) && !existsSync(join(HOUSE, to)))
    .filter(({ to }) => !(packageOf(to) in dependencies));
  assert.deepEqual(foreign, []);
});

const APART = ["--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"];
const CANNOT = spawnSync("unshare", [...APART, "true"]).status !== 0 && "this machine lets nobody have file systems of his own (unshare)";

/**
 * As near to a container as one comes without an engine: the files that are copied, on a file system that cannot be
 * written, and Node as the first process.
 */
test("from its files alone, which it cannot change, a node serves, is found well, and stops", { skip: CANNOT }, async (t) => {
  const [image, data, port, status] = [join(folder(t), "banyan"), folder(t), await freePort(), await freePort()];
  for (const { from, to } of copied) {
    for (const path of from) {
      const target = to.endsWith("/") ? join(image, to, path) : join(image, to);
      mkdirSync(dirname(target), { recursive: true });
      cpSync(join(HOUSE, path), target, { recursive: true, filter: (file) => !isTest(file) });
    }
  }
  symlinkSync(join(HOUSE, "node_modules"), join(image, "node_modules"));
  const locked = `mount --bind ${image} ${image} && mount -o remount,bind,ro ${image} && cd ${image} && ! touch x 2>&- && exec "$@"`;
  const [, ...args] = JSON.parse(last("CMD")) as string[];
  const env = { ...process.env, HOST: "127.0.0.1", PORT: String(port), STATUS_PORT: String(status), DATA_DIR: data, LOG_LEVEL: "info" };
  const child = spawn("unshare", [...APART, "sh", "-c", locked, "sh", process.execPath, ...args], { env, stdio: "pipe" });
  t.after(() => child.kill("SIGKILL"));
  let said = "";
  createInterface({ input: child.stdout }).on("line", (line) => (said += line));
  createInterface({ input: child.stderr }).on("line", (line) => (said += line));
  await until(() => said.includes('"event":"serving"') || (child.exitCode !== null && assert.fail(said)));

  const [, check] = /CMD (\[.*\])$/.exec(last("HEALTHCHECK"))!;
  const [, ...question] = (JSON.parse(check!) as string[]).map((word) => word.replace("3001", String(status)));
  assert.equal(spawnSync(process.execPath, question).status, 0);
  for (const page of ["/health/ready", "/docs/errors", "/docs", "/openapi.json"])
    assert.equal((await fetch(`http://127.0.0.1:${port}${page}`)).status, 200, page);

  const first = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim();
  process.kill(Number(first), "SIGTERM");
  assert.deepEqual(await once(child, "close"), [0, null]);
  assert.equal(spawnSync(process.execPath, question).status, 1, "who is gone is not well");
});
