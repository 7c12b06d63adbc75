import { createInterface } from "node:readline";
import nodeRepl, { type REPLServer, type ReplOptions } from "node:repl";
import { inspect, parseArgs } from "node:util";
import type { CallingOptions, ServiceBroker } from "moleculer";
import { exitFor, isMisuse, Refused } from "./refused.ts";
import { type Desk, ownCommands, type ReplCommand, scriptCommands } from "./repl.commands.ts";
import { fit, split, words } from "./repl.params.ts";

const listed = (commands: ReplCommand[]) => commands.map(({ usage, description }) => `  ${usage.padEnd(44)} ${description}`).join("\n");
const USAGE = `Usage: npm run repl [-- -c "COMMAND" …]

Opens a prompt on DATA_DIR, beside a system that runs there or without one: it runs all rooms but the gateway itself.
With -c, or with lines on standard input, it runs those, prints JSON, and stops at the first that fails (exit code 1).
"npm run --silent repl" leaves out npm's own lines.

${listed([...scriptCommands, ...ownCommands])}

At the prompt there are Moleculer's commands too (help lists them), and Tab completes the names of actions.
  DATA_DIR=/srv/banyan npm run repl
  npm run --silent repl -- -c "call v1.deals.get --id 536365" | jq .lines
  echo 'call v1.deals.open {"saleParty":"acme","currency":"GBP","lines":[{"product":"LDPE","quantity":"10","rate":"1.25","sources":[]}]}' | npm run --silent repl`;

/** What an error comes to in one line: its code, what was meant, and what was wrong with it. */
const told = (error: unknown) => {
  const { type, message, data } = error as { type?: string; message: string; data?: unknown };
  return [type ?? "ERROR", ": ", message, data ? ` ${JSON.stringify(data)}` : ""].join("");
};

const runScript = async (broker: ServiceBroker, lines: AsyncIterable<string> | Iterable<string>): Promise<number> => {
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  process.once("SIGTERM", () => stop.abort());
  const desk: Desk = {
    broker,
    signal: stop.signal,
    print: (value) => console.log(typeof value === "string" ? value : JSON.stringify(value)),
  };
  for await (const line of lines) {
    const [name, ...rest] = words(line);
    if (!name || name.startsWith("#")) continue;
    const command = [...scriptCommands, ...ownCommands].find(({ usage }) => usage.split(" ")[0] === name);
    const { operands, options } = split(rest);
    const required = command?.usage.match(/</g)?.length ?? 0;
    if (!command || operands.length < required) {
      console.error(
        command ? `Usage: ${command.usage}` : `There is no command ${name}; there are:\n${listed([...scriptCommands, ...ownCommands])}`,
      );
      return 1;
    }
    try {
      await command.run(desk, operands, options);
    } catch (error) {
      console.error(told(error));
      return 1;
    }
  }
  return 0;
};

/** Moleculer's REPL, with our commands among its own. What follows a stream goes on behind the prompt. */
const prompt = async (broker: ServiceBroker) => {
  const { default: startRepl } = await import("moleculer-repl");
  let following = new AbortController();
  const customCommands = ownCommands.map((command) => {
    const names = [...command.usage.matchAll(/[<[](\w+)/g)].map(([, name]) => name!);
    return {
      ...custom(command),
      action: async (_: ServiceBroker, args: Record<string, unknown> & { options: Record<string, unknown> }) => {
        const print = (value: unknown) => console.log(inspect(value, { depth: null, colors: true }));
        const operands = names.map((name) => args[name]).filter((value) => value !== undefined) as string[];
        const running = command
          .run({ broker, print, signal: following.signal }, operands, args.options)
          .catch((error) => console.error(told(error)));
        if (!command.usage.startsWith("follow")) await running;
      },
    };
  });
  const unfollow = {
    ...unused,
    command: "unfollow",
    description: "End what follow shows",
    action: async () => {
      following.abort();
      following = new AbortController();
    },
  };
  const call = (action: string, params: Record<string, unknown>, options?: CallingOptions) =>
    broker.call(action, fit(broker, action, params), options);
  const typing: ServiceBroker = Object.create(broker, { call: { value: call } });
  const server = withThis(() => startRepl(typing, { delimiter: "banyan $", customCommands: [...customCommands, unfollow] }));
  server.on("SIGINT", unfollow.action);
};

/** Moleculer's REPL (0.8) reads the server from `this` in its `eval`, and Node 26 calls that without one: here it gets it back. */
const withThis = (start: () => REPLServer): REPLServer => {
  const original = nodeRepl.start;
  let server: REPLServer;
  nodeRepl.start = (options) => {
    const { eval: evaluate, ...others } = options as ReplOptions;
    server = original({ ...others, eval: (...line) => evaluate!.apply(server, line) });
    return server;
  };
  try {
    return start();
  } finally {
    nodeRepl.start = original;
  }
};

/** Moleculer's REPL can do without these, its types cannot. */
const unused = { alias: null, allowUnknownOptions: null, parse: null, options: [] };
const custom = ({ usage, description, options = [] }: ReplCommand) => ({ ...unused, command: usage, description, options });

const run = async () => {
  const { values } = parseArgs({
    options: { command: { type: "string", short: "c", multiple: true }, help: { type: "boolean", short: "h" } },
  });
  if (values.help) return console.log(USAGE);
  const { config } = await import("./config.ts").catch((error: Error) => exitFor(new Refused(error.message)));
  const { actingAs, OPERATOR, requireOperator } = await import("../trust/operator.ts");
  requireOperator();
  const { allRooms, startNode } = await import("./node.ts");
  const rooms = (config.rooms.length > 0 ? config.rooms : allRooms()).filter((room) => room !== "gateway");
  const node = await startNode({ rooms, quiet: true });
  const broker = actingAs(OPERATOR, node.broker);
  if (!values.command && process.stdin.isTTY) {
    console.log(`Banyan on ${config.dataDir}: ${node.rooms.join(", ")}. help lists the commands, actions what can be called.`);
    return prompt(broker);
  }
  process.exitCode = await runScript(broker, values.command ?? createInterface({ input: process.stdin }));
  await node.stop();
};

await run().catch((error: Error) => exitFor(isMisuse(error) ? new Refused(`${error.message}\n${USAGE}`) : error));
