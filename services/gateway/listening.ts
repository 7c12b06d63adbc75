import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync, unwatchFile, watchFile } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { constants, createSecureServer, type Http2SecureServer, type Http2ServerRequest, type ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import { log } from "../../mixins/runtime/logger.ts";
import type { Pair } from "../../mixins/runtime/pem.files.ts";
import { refuse } from "./refuse.ts";

const TIMEOUTS = { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 30_000, connectionsCheckingInterval: 2_000 };
const SILENCE = 60_000; // milliseconds: who does not read his answer does not hold it for ever
const MOST_HEADERS = 16_384; // bytes, as of HTTP/1.1
const LOOK = 2_000; // milliseconds between two looks at the files of the certificate; a link that now leads elsewhere is no event
const ALL_STREAMS = 2 ** 31 - 1;

const MODERN = { minVersion: "TLSv1.2" } as const;

/** What a connection of HTTP/2 may ask for. One on which streams are opened and taken back faster than this is closed (CVE-2023-44487). */
const HTTP2 = {
  settings: { maxConcurrentStreams: 100, maxHeaderListSize: MOST_HEADERS, enablePush: false, enableConnectProtocol: false },
  maxSessionMemory: 10, // megabytes
  maxSessionInvalidFrames: 100,
  maxSessionRejectedStreams: 100,
  maxHeaderListPairs: 100,
  maxOutstandingPings: 10,
  maxOutstandingSettings: 10,
  streamResetBurst: 200,
  streamResetRate: 33, // a second
  unknownProtocolTimeout: 2_000,
};

/** A request of HTTP/1.1, or one of HTTP/2 in the same clothes. */
export const isHttp2 = (req: IncomingMessage): req is IncomingMessage & Http2ServerRequest => req.httpVersionMajor === 2;

/** Whether all of the request has come, as far as HTTP goes. */
export const isWhole = (req: IncomingMessage): boolean => req.complete || (isHttp2(req) && req.stream.endAfterHeaders);

/** The setting that names the limit counts from when the client has acknowledged it, and that is up to the client. */
export const hasLargeHeaders = (req: IncomingMessage): boolean =>
  isHttp2(req) && req.rawHeaders.reduce((size, text) => size + text.length, 0) > MOST_HEADERS;

/** Whether whoever asked is gone before he had said all, or, with HTTP/2, has taken it back. */
export const isLost = (req: IncomingMessage): boolean => (isHttp2(req) ? req.stream.destroyed : req.socket.destroyed && !req.complete);

/** What the door listens with: HTTP/1.1, or with a certificate HTTPS with HTTP/2 and HTTP/1.1. */
export class Listening {
  readonly server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #certificate: Pair | undefined;
  #ending = false;

  constructor(certificate: Pair | undefined, maxConnections: number, handle: (req: IncomingMessage, res: ServerResponse) => void) {
    this.#certificate = certificate;
    const server = certificate ? this.#secure(certificate) : createServer(TIMEOUTS);
    this.server = server as Server; // what else is asked of it both have
    this.server.timeout = SILENCE;
    this.server.maxConnections = maxConnections;
    this.server.on("clientError", refuse);
    this.server.on("request", handle satisfies RequestListener);
    const watch = (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    };
    this.server.on("connection", watch).on("secureConnection", watch); // with TLS one that has not said who it is yet, and then
  }

  /** Asks those that hold a connection of HTTP/2 to open no more on it; those of HTTP/1.1 are told by the header of their next answer. */
  ask(): void {
    this.#ending = true;
    for (const session of this.#sessions) if (!session.destroyed) session.goaway(constants.NGHTTP2_NO_ERROR, ALL_STREAMS);
  }

  /** Takes no connection any more, and resolves when the last one has ended; after `patience` milliseconds they are cut. */
  async close(patience: number): Promise<void> {
    if (this.#certificate) for (const file of Object.values(this.#certificate)) unwatchFile(file, this.#renewed);
    const closed = new Promise((done) => this.server.close(done));
    const late = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, patience);
    await closed;
    clearTimeout(late);
  }

  #secure(certificate: Pair): Http2SecureServer {
    const server = createSecureServer({
      ...TIMEOUTS,
      ...MODERN,
      ...HTTP2,
      ...contentsOf(certificate),
      allowHTTP1: true,
      handshakeTimeout: 10_000,
      noDelay: true,
    } as Parameters<typeof createSecureServer>[0]);
    server.on("session", (session) => {
      this.#sessions.add(session);
      session.once("close", () => this.#sessions.delete(session));
      if (this.#ending) session.goaway(constants.NGHTTP2_NO_ERROR, ALL_STREAMS);
    });
    for (const file of Object.values(certificate)) watchFile(file, { interval: LOOK, persistent: false }, this.#renewed);
    return server;
  }

  /** The next connections are shown what stands in the files now, once both fit each other: one may be replaced a moment before the other. */
  readonly #renewed = () => {
    try {
      const contents = contentsOf(this.#certificate!);
      if (!new X509Certificate(contents.cert).checkPrivateKey(createPrivateKey(contents.key)))
        throw new Error("key and certificate do not fit each other");
      (this.server as unknown as Http2SecureServer).setSecureContext({ ...MODERN, ...contents });
      log.info({ event: "certificate.renewed" });
    } catch (error) {
      log.warn({ event: "certificate.refused", reason: (error as Error).message }, "the one before goes on");
    }
  };
}

const contentsOf = ({ cert, key }: Pair) => ({ cert: readFileSync(cert), key: readFileSync(key) });
