/** Throws or rejects where what it asks does not answer. */
type Check = () => unknown;

const checks = new Map<string, Check>();
const PATIENCE = 1_000;

/** Makes readiness of this process wait for something: a store, a broker. The name is shown to whoever asks. Returns how to take it back. */
export const dependsOn = (name: string, check: Check): (() => void) => {
  checks.set(name, check);
  return () => {
    if (checks.get(name) === check) checks.delete(name);
  };
};

/** Asks all at once: which of them answer within a second. */
export const askDependencies = async (): Promise<Record<string, boolean>> => {
  const answers = [...checks].map(async ([name, check]) => [name, await answersInTime(check)] as const);
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
