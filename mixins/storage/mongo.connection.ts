import { createRequire } from "node:module";
import { MongoNetworkError } from "mongodb";

/** What of the driver's own connection is needed here; it is not among what the package promises. */
interface Connection {
  readonly error?: Error | null;
  once(event: "close", listener: () => void): this;
  off(event: "close", listener: () => void): this;
  writeCommand(...command: unknown[]): Promise<void>;
}

/**
 * Lets a command end whose connection is gone. The driver (7.9) waits until a socket takes more, and for nothing else: one
 * that has been destroyed, and has not said so yet, never does. Then the caller waits for ever, and if it is the driver's monitor that
 * does, the process never learns that the server is back. Where the socket says what is wrong, the driver passes that on as
 * it is; here it becomes an error of the network, as all others are.
 */
export const endWithConnection = (): void => {
  const { Connection } = createRequire(import.meta.url)("mongodb/lib/cmap/connection.js") as { Connection: { prototype: Connection } };
  const { writeCommand } = Connection.prototype;
  Connection.prototype.writeCommand = async function (...command) {
    const closed = Promise.withResolvers<never>();
    const close = () => closed.reject(this.error ?? gone());
    this.once("close", close);
    try {
      await Promise.race([writeCommand.apply(this, command), closed.promise]);
    } catch (error) {
      throw isOfSocket(error) ? gone(error) : error;
    } finally {
      this.off("close", close);
    }
  };
};

const isOfSocket = (error: unknown): error is Error => error instanceof Error && !error.name.startsWith("Mongo") && "code" in error;

const gone = (cause?: Error) => new MongoNetworkError("the connection is gone", { cause });
