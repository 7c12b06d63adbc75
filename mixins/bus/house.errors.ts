import { Errors } from "moleculer";
import { Conflict, Rejected, Unavailable } from "../core/errors.ts";

/** An error as a packet carries it. */
interface Told {
  name: string;
  message: string;
  code: number;
  type: string;
  data?: unknown;
  stack?: string;
}

/** Our three kinds of errors as they were on the node that threw them. Where they began is told of mistakes only: a refusal is none. */
export class HouseErrors extends Errors.Regenerator {
  override extractPlainError(error: Error): Errors.PlainMoleculerError {
    const told = super.extractPlainError(error);
    if (error instanceof Rejected || error instanceof Conflict || error instanceof Unavailable) delete told.stack;
    return told;
  }

  /** Another node may call anything an error: what throws here would leave the caller without an answer. */
  override restore(told: Errors.PlainMoleculerError, payload: { sender?: string }): Error {
    try {
      return super.restore(told, payload);
    } catch {
      return new Errors.InvalidPacketDataError({ sender: payload.sender });
    }
  }

  override restoreCustomError(told: Errors.PlainMoleculerError): Error {
    const { name, message, code, type, data } = told as Told;
    switch (name) {
      case "Rejected":
        return new Rejected(type, message, code, data);
      case "Unavailable":
        return new Unavailable(type, message, data);
      case "Conflict": {
        const { stream, version } = data as { stream: string; version: number };
        return new Conflict(stream, version);
      }
    }
    return undefined as never; // what its types do not know: it may leave an error to Moleculer
  }
}
