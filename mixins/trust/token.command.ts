import { parseArgs } from "node:util";
import { exitFor, isMisuse, Refused } from "../runtime/refused.ts";
import { OPERATOR_SECONDS } from "./access-token.ts";

const USAGE = `npm run --silent token -- [--user NAME] [--role ROLE …] [--ttl 15m]

Prints an access token for whoever can read the master key: in DATA_DIR/keys, or what MASTER_KEY or MASTER_KEY_FILE names.
It needs no running system and no password:
  curl -H "Authorization: Bearer $(npm run --silent token)" http://127.0.0.1:3000/api/v1/deals

--user NAME   whose it is; operator. What is done with it is done in this name
--role ROLE   what he may do; admin. May come several times
--ttl TIME    how long it counts: 30s, 15m, 8h; 15 minutes, a day at most. It cannot be taken back before`;

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400 };

const secondsOf = (text: string): number => {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const seconds = Number(count) * (UNITS[unit ?? ""] ?? Number.NaN);
  if (seconds >= 1 && seconds <= OPERATOR_SECONDS) return seconds;
  throw new Refused(`--ttl is a time like 30s, 15m or 8h, a day at most, not ${text}`);
};

const run = async () => {
  const { values } = parseArgs({
    options: {
      user: { type: "string", default: "operator" },
      role: { type: "string", multiple: true, default: ["admin"] },
      ttl: { type: "string", default: "15m" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return console.log(USAGE);
  const seconds = secondsOf(values.ttl);
  const { id } = await import("../core/ids.ts");
  if (!new RegExp(id.pattern).test(values.user))
    throw new Refused("--user is an id: 1 to 64 letters, digits, _, ~ and -, a letter or digit first");
  const { ROLES } = await import("../core/policy.ts");
  const unknown = values.role.filter((role) => !Object.hasOwn(ROLES, role));
  if (unknown.length > 0) throw new Refused(`--role: there is no role ${unknown.join(", ")}; there are ${Object.keys(ROLES).join(", ")}`);
  const { config } = await import("../runtime/config.ts").catch((error: Error) => exitFor(new Refused(error.message)));
  const { requireOperator } = await import("./operator.ts");
  requireOperator();
  const { masterKey } = await import("./master-key.ts");
  const { operatorKeyOf, signed } = await import("./access-token.ts");
  console.log(await signed(operatorKeyOf(masterKey()), config.issuer, { id: values.user, roles: values.role }, seconds));
};

await run().catch((error: Error) => exitFor(isMisuse(error) ? new Refused(`${error.message}\n\n${USAGE}`) : error));
