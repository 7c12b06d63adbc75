import { parseArgs } from "node:util";
import { exitFor, isMisuse, Refused } from "./refused.ts";

const USAGE = `npm run doctor    looks at this process's settings and at the servers that they name, and says what to change.
                  A line each: ok, warn (works, and should be looked at) or wrong (does not work as it is).
                  Ends with 1 where something is wrong. It writes nothing to the servers.`;

/** Says one line, and says no password with it. */
type Tell = (level: string, about: string, says: string) => void;

const examineAll = async (tell: Tell): Promise<boolean> => {
  const { config } = await import("./config.ts");
  const { withoutSecrets } = await import("./address.ts");
  const [{ examineProcess }, { examineNats }, { examineMongo }, { examineRedis }, { examineSchemas }, { examineTrust }] = await Promise.all(
    [
      import("./process.doctor.ts"),
      import("../bus/nats.doctor.ts"),
      import("../storage/mongo.doctor.ts"),
      import("../storage/redis.doctor.ts"),
      import("../schema.doctor.ts"),
      import("../trust/trust.doctor.ts"),
    ],
  );
  const examinations = [examineProcess, examineTrust, examineNats, examineMongo, examineRedis, examineSchemas];
  const all = examinations.map((examine) => examine()); // at the same time: one that is away takes seconds to say so
  let well = true;
  for (const findings of all) {
    for (const { level, about, says } of await findings) {
      if (level === "wrong") well = false;
      tell(level, about, withoutSecrets(says, [config.transporter, config.mongoUrl, config.redisUrl]));
    }
  }
  return well;
};

const run = async () => {
  if (parseArgs({ options: { help: { type: "boolean", short: "h" } } }).values.help) return console.log(USAGE);
  const tell: Tell = (level, about, says) => console.log(`${level.padEnd(6)}${about.padEnd(9)}${says}`);
  const invalid = await import("./config.ts").then(
    () => undefined,
    (error: Error) => error,
  );
  if (invalid) tell("wrong", "settings", invalid.message);
  process.exitCode = !invalid && (await examineAll(tell)) ? 0 : 1;
};

await run().catch((error: Error) => exitFor(isMisuse(error) ? new Refused(`${error.message}\n${USAGE}`) : error));
