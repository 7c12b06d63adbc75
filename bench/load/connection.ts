import { connect, type Socket } from "node:net";

/** One answer: its status, the bytes of its body, and the body where somebody asked to see it. */
export type Answered = (status: number, body: Buffer) => void;

const HEAD_END = Buffer.from("\r\n\r\n");
const CHUNK_END = Buffer.from("\r\n");
const NOTHING = Buffer.alloc(0);

/**
 * One keep-alive connection that has at most one request in flight. It speaks as much HTTP/1.1 as a server on the same
 * machine answers in: a status line, headers, a body by length or in chunks. Node's own client, and those built on it, need
 * more of a core for a request than the servers that are measured; this one needs about ten microseconds.
 */
export class Connection {
  readonly #socket: Socket;
  #received: Buffer = NOTHING;
  #answered?: Answered;
  #asked: Buffer = NOTHING;

  private constructor(socket: Socket, failed: (error: Error) => void) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (data: Buffer) => {
      try {
        this.#receive(data);
      } catch (error) {
        failed(error as Error);
      }
    });
    socket.on("error", failed);
    socket.on("end", () => this.#answered && failed(new Error("the server closed the connection before it had answered")));
  }

  static open(port: number, failed: (error: Error) => void): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.off("error", reject);
        resolve(new Connection(socket, failed));
      });
      socket.once("error", reject);
    });
  }

  get free(): boolean {
    return this.#answered === undefined;
  }

  /** What it waits for, or waited for last: its first line. */
  get asked(): string {
    return this.#asked.toString().split("\r\n", 1)[0]!;
  }

  send(request: Buffer, answered: Answered) {
    this.#answered = answered;
    this.#asked = request;
    this.#socket.write(request);
  }

  close() {
    this.#answered = undefined;
    this.#socket.destroy();
  }

  #receive(data: Buffer) {
    this.#received = this.#received.length === 0 ? data : Buffer.concat([this.#received, data]);
    const end = this.#received.indexOf(HEAD_END);
    if (end < 0) return;
    const head = this.#received.toString("latin1", 0, end);
    const start = end + HEAD_END.length;
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    const body = length === undefined ? this.#chunks(head, start) : this.#bytes(start, Number(length));
    if (!body) return;
    this.#received = NOTHING;
    const answered = this.#answered;
    if (!answered) throw new Error("an answer to no request");
    this.#answered = undefined;
    answered(Number(head.slice(9, 12)), body);
  }

  #bytes(start: number, length: number): Buffer | undefined {
    if (this.#received.length < start + length) return;
    if (this.#received.length > start + length) throw new Error("more bytes than the answer's content-length says");
    return this.#received.subarray(start);
  }

  /** The whole of a body in chunks, once its last one is there. */
  #chunks(head: string, start: number): Buffer | undefined {
    if (!/\r\ntransfer-encoding: *chunked/i.test(head)) throw new Error(`an answer without a length: ${head}`);
    const parts: Buffer[] = [];
    for (let at = start; ; ) {
      const line = this.#received.indexOf(CHUNK_END, at);
      if (line < 0) return;
      const size = Number.parseInt(this.#received.toString("latin1", at, line), 16);
      at = line + CHUNK_END.length;
      if (this.#received.length < at + size + CHUNK_END.length) return;
      if (size === 0) return Buffer.concat(parts);
      parts.push(this.#received.subarray(at, at + size));
      at += size + CHUNK_END.length;
    }
  }
}
