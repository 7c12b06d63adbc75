/** What was found of one thing: as it should be, to be looked at, or such that Banyan does not work with it. */
export interface Finding {
  readonly level: "ok" | "warn" | "wrong";
  readonly about: string;
  /** One line: what is so, and where it should not be, what to change. */
  readonly says: string;
}

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|\[::1\]|localhost)(:|\/|$)/;
const SKEW = { warn: 1_000, wrong: 10_000 } as const; // milliseconds

/** Collects what is found of one server, or of this process. */
export class Examination {
  readonly about: string;
  readonly findings: Finding[] = [];

  constructor(about: string) {
    this.about = about;
  }

  ok(says: string): void {
    this.#add("ok", says);
  }

  warn(says: string): void {
    this.#add("warn", says);
  }

  wrong(says: string): void {
    this.#add("wrong", says);
  }

  /** Asks what not every server answers: one that refuses is warned of, and what would have followed is left out. */
  async ask<T>(what: string, question: () => Promise<T>): Promise<T | undefined> {
    try {
      return await question();
    } catch (error) {
      this.warn(`${what} cannot be seen: ${(error as Error).message}`);
      return undefined;
    }
  }

  /** Whether others on the way can read along. `address` as it may be shown, `encrypted` how it would be written. */
  encrypted(address: string, isEncrypted: boolean, written: string): void {
    if (isEncrypted) this.ok("what goes to it is encrypted");
    else if (
      address
        .replace(/^[a-z+]+:\/\//, "")
        .split(",")
        .every((host) => LOOPBACK.test(host))
    )
      this.ok("what goes to it is not encrypted, and stays on this host");
    else
      this.warn(`what goes to it is not encrypted: let it speak TLS and write the address as ${written}, or keep the network to yourself`);
  }

  /** Compares a server's clock with ours. It was read between `asked` and now, so the way there and back is in doubt. */
  clock(theirs: number, asked: number): void {
    const now = Date.now();
    const apart = Math.round(theirs < asked ? asked - theirs : Math.max(0, theirs - now));
    const says = `its clock and ours differ by ${apart} ms`;
    if (apart >= SKEW.wrong) this.wrong(`${says}: times of events and the ends of leases come out wrong; run NTP (chrony) on all hosts`);
    else if (apart >= SKEW.warn) this.warn(`${says}: run NTP (chrony) on all hosts`);
    else this.ok(`its clock agrees with ours${apart > 0 ? ` (${apart} ms)` : ""}`);
  }

  #add(level: Finding["level"], says: string): void {
    this.findings.push({ level, about: this.about, says: says.replaceAll(/\s+/g, " ").trim() });
  }
}

/** Whether a version such as `7.0.15` or `v2.11.0-beta` is this one or newer. */
export const atLeast = (version: string, major: number, minor: number): boolean => {
  const [ours = 0, theirs = 0] = version.replace(/^v/, "").split(".").map(Number.parseFloat);
  return ours > major || (ours === major && theirs >= minor);
};
