import { Errors, type Transit } from "moleculer";

type Pending = Transit.TransitRequest & { action: { name: string } };

const SWEEP = 100; // milliseconds: so much later than it should may a call end
const SILENT = 1_000; // milliseconds that a call may wait before its node is asked whether it is there

/** The calls of this node that others have not answered yet. One timer looks after the time of all. */
export class PendingCalls {
  readonly #transit: Transit;
  readonly #timer: NodeJS.Timeout;
  #sweeps = 0;

  constructor(transit: Transit) {
    this.#transit = transit;
    this.#timer = setInterval(() => this.#sweep(), SWEEP).unref();
  }

  /** Ends all of them with this error. */
  fail(error: () => Error): void {
    for (const [id, { reject }] of this.#transit.pendingRequests) {
      this.#transit.removePendingRequest(id);
      reject(error());
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /**
   * Ends those whose time is over. Nodes that have let one wait for a second are pinged once a second: a message can be lost on
   * the way to one that dies, and then it is the server's word on the ping (nobody listens) that says so.
   */
  #sweep() {
    const transit = this.#transit;
    const [seconds, nanos] = process.hrtime();
    const silent = new Set<string>();
    for (const [id, { ctx, action, nodeID, reject }] of transit.pendingRequests as Map<string, Pending>) {
      const { startHrTime: start, options } = ctx;
      if (!start) continue;
      const waited = (seconds - start[0]) * 1e3 + (nanos - start[1]) / 1e6;
      if (waited >= SILENT) silent.add(nodeID);
      if (!options.timeout || waited < options.timeout) continue;
      transit.removePendingRequest(id);
      reject(new Errors.RequestTimeoutError({ action: action.name, nodeID }));
    }
    if (++this.#sweeps % (SILENT / SWEEP) !== 0 || !transit.tx.connected) return;
    for (const nodeID of silent) void transit.sendPing(nodeID);
  }
}
