/** Throws or rejects where what it asks does not answer. */
type Check = () => unknown;

const checks = new Map<string, Check>();
const conveniences = new Map<string, Check>();
const PATIENCE = 1_000;

/** Makes readiness of this process wait for something: a store, a broker. The name is shown to whoever asks. Returns how to take it back. */
export const dependsOn = (name: string, check: Check): (() => void) => registered(checks, name, check);

/** Shows what this process works better with, and goes on without. Returns how to take it back. */
export const worksWithout = (name: string, check: Check): (() => void) => registered(conveniences, name, check);

const registered = (kind: Map<string, Check>, name: string, check: Check) => {
  kind.set(name, check);
  return () => {
    if (kind.get(name) === check) kind.delete(name);
  };
};

/** Asks all at once: which of them answer within a second. */
export const askDependencies = (): Promise<Record<string, boolean>> => askAll(checks);

/** The same of what this process can do without. */
export const askConveniences = (): Promise<Record<string, boolean>> => askAll(conveniences);

const askAll = async (kind: Map<string, Check>): Promise<Record<string, boolean>> => {
  const answers = [...kind].map(async ([name, check]) => [name, await answersInTime(check)] as const);
  return Object.fromEntries(await Promise.all(answers));
};

const answersInTime = (check: Check): Promise<boolean> => {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, PATIENCE, false);
  (async () => check())()
    .then(
      () => resolve(true),
      () => resolve(false),
    )
    .finally(() => clearTimeout(timer));
  return promise;
};
