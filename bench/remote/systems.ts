import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Server as Started, startServer } from "../../test/servers/start.ts";
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

/** The systems of the remote rows: processes that speak over one NATS server of the bench's own. */
export class RemoteSystems {
  readonly #dir: string;
  readonly #nats: Started;
  readonly #profiles?: string;
  readonly #members: Member[] = [];

  private constructor(dir: string, nats: Started, profiles?: string) {
    this.#dir = dir;
    this.#nats = nats;
    this.#profiles = profiles;
  }

  static async open(dir: string, profiles?: string): Promise<RemoteSystems> {
    return new RemoteSystems(dir, await startServer("nats"), profiles);
  }

  /** The process that answers, or the one that calls. */
  async member(name: RemoteName, role: "room" | "caller"): Promise<Member> {
    const { cwd, args } = PROGRAMS[name];
    install(PROGRAMS[name]);
    const dir = this.#folder(name, role);
    const program = join(cwd, args.at(-1)!);
    const member = await Member.start(program, [role], this.#env(dir), join(dir, "..", "log"), [...this.#profile(name), ...FLAGS]);
    this.#members.push(member);
    return member;
  }

  /** The process that takes HTTP and asks the room. */
  async gateway(name: RemoteName): Promise<Server> {
    const { cwd, args } = PROGRAMS[name];
    const dir = this.#folder(name, "gateway");
    const server = await Server.start({ cwd, args: [...this.#profile(name), ...FLAGS, ...args, "gateway"], env: this.#env(dir) }, dir);
    while (!(await server.answers("/api/v1/echo/deal-0000"))) await new Promise((done) => setTimeout(done, 20)); // until it knows the room
    return server;
  }

  async close(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.stop()));
    await this.#nats.stop();
  }

  #folder(name: RemoteName, role: string): string {
    const dir = join(this.#dir, `${name}-${role}-${this.#members.length}`, "data");
    mkdirSync(dir, { recursive: true });
    return dir;
  }

  #env(dir: string): Record<string, string> {
    return { TRANSPORTER: this.#nats.url, MONGO_URL: "mongodb://127.0.0.1:1", DATA_DIR: dir }; // the echo room stores nothing
  }

  #profile(name: RemoteName): string[] {
    return this.#profiles && name === "banyan" ? ["--cpu-prof", `--cpu-prof-dir=${this.#profiles}`] : [];
  }
}
