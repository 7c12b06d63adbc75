import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { onPath } from "../../test/servers/recipe.ts";
import { type Server as Started, startServer } from "../../test/servers/start.ts";
import { keys } from "../credentials.ts";
import { type Program, Server } from "../server.ts";
import { install, START } from "../systems.ts";
import { Member } from "./member.ts";

export const REMOTE_SYSTEMS = ["banyan", "nest-nats", "nats-raw"] as const;
export type RemoteName = (typeof REMOTE_SYSTEMS)[number];

const BENCH = join(import.meta.dirname, "..");
const ROOT = join(BENCH, "..");
const FLAGS = START.filter((arg) => arg.startsWith("--max-")); // npm start has them, and here all have

const PROGRAMS: Record<RemoteName, Program> = {
  banyan: { cwd: ROOT, args: ["bench/remote/banyan.ts"] },
  "nest-nats": { cwd: join(BENCH, "peers/nest-nats"), args: ["nest-nats.js"] },
  "nats-raw": { cwd: join(BENCH, "peers/nats-raw"), args: ["nats-raw.js"] },
};

/** What stores, where something is stored: the stand-in says nothing of how fast MongoDB is. */
export const storeName = (): string => (onPath("mongod") ? "mongod" : "MongoDB's stand-in");

/** The systems of the remote rows: processes that speak over one NATS server of the bench's own. */
export class RemoteSystems {
  readonly #dir: string;
  readonly #nats: Started;
  readonly #mongo?: Started;
  readonly #profiles?: string;
  readonly #members: Member[] = [];

  private constructor(dir: string, nats: Started, mongo?: Started, profiles?: string) {
    this.#dir = dir;
    this.#nats = nats;
    this.#mongo = mongo;
    this.#profiles = profiles;
  }

  /** `stored` where the systems store what they are given: then they share a MongoDB, too. */
  static async open(dir: string, stored: boolean, profiles?: string): Promise<RemoteSystems> {
    return new RemoteSystems(dir, await startServer("nats"), stored ? await startServer("mongo") : undefined, profiles);
  }

  /** The process that answers, or the one that calls. */
  async member(name: RemoteName, role: "room" | "deals" | "caller"): Promise<Member> {
    const { cwd, args } = PROGRAMS[name];
    install(PROGRAMS[name]);
    const dir = this.#folder(name, role);
    const program = join(cwd, args.at(-1)!);
    const member = await Member.start(program, [role], this.#env(dir), join(dir, "..", "log"), [...this.#profile(name), ...FLAGS]);
    this.#members.push(member);
    return member;
  }

  /** The process that takes HTTP and asks the room. */
  async gateway(name: RemoteName, path = "/api/v1/echo/deal-0000"): Promise<Server> {
    const { cwd, args } = PROGRAMS[name];
    const dir = this.#folder(name, "gateway");
    const server = await Server.start({ cwd, args: [...this.#profile(name), ...FLAGS, ...args, "gateway"], env: this.#env(dir) }, dir);
    while (!(await server.answers(path))) await new Promise((done) => setTimeout(done, 20)); // until it knows the room
    return server;
  }

  async close(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.stop()));
    await Promise.all([this.#nats.stop(), this.#mongo?.stop()]);
  }

  #folder(name: RemoteName, role: string): string {
    const dir = join(this.#dir, `${name}-${role}-${this.#members.length}`, "data");
    mkdirSync(dir, { recursive: true });
    return dir;
  }

  #env(dir: string): Record<string, string> {
    return { ...keys, TRANSPORTER: this.#nats.url, MONGO_URL: this.#mongo?.url ?? "mongodb://127.0.0.1:1", DATA_DIR: dir }; // the echo room stores nothing
  }

  #profile(name: RemoteName): string[] {
    return this.#profiles && name === "banyan" ? ["--cpu-prof", `--cpu-prof-dir=${this.#profiles}`] : [];
  }
}
