import type { ChildProcess } from "node:child_process";
import type { ServiceBroker } from "moleculer";

interface Asked {
  n: number;
  action: string;
  params: object;
  meta: object;
}

interface Said {
  n?: number;
  answer?: unknown;
  error?: object;
}

export type Calls = <T>(action: string, params: object, meta?: object) => Promise<T>;

/** In the child: makes the calls that its parent sends, as an operator where nobody is named, and says what came of them. */
export const answerCalls = async (broker: ServiceBroker): Promise<void> => {
  const { actingAs, OPERATOR } = await import("../../mixins/trust/operator.ts"); // reads the configuration, which a parent has yet to make
  const asked = actingAs(OPERATOR, broker);
  process.on("message", async ({ n, action, params, meta }: Asked) => {
    const said = await asked.call(action, params, { meta }).then(
      (answer) => ({ n, answer }),
      ({ type, code, message }) => ({ n, error: { type, code, message } }),
    );
    process.send!(said);
  });
};

/** In the parent: has calls made in the child. They reject with type, code and message, and with the type `KILLED` where it ended. */
export const callsIn = (child: ChildProcess, ended: Promise<unknown>): Calls => {
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  child.on("message", ({ n, answer, error }: Said) => {
    const asked = n === undefined ? undefined : waiting.get(n);
    if (n !== undefined) waiting.delete(n);
    if (error) asked?.reject(error);
    else asked?.resolve(answer);
  });
  void ended.then(() => {
    for (const asked of waiting.values()) asked.reject({ type: "KILLED", code: 0, message: "the process ended" });
  });
  let made = 0;
  return <T>(action: string, params: object, meta: object = {}) => {
    const asked = Promise.withResolvers<unknown>();
    waiting.set(++made, asked);
    child.send({ n: made, action, params, meta });
    return asked.promise as Promise<T>;
  };
};
