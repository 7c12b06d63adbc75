import { nkeys } from "nats";

/** A node as NATS knows it. */
export interface NatsUser {
  readonly name: string;
  readonly seed: string;
  readonly namespace: string;
  /** Every room whose events there are: a node may follow each of them. */
  readonly rooms: readonly string[];
  /** Those that it runs: it alone publishes their events. */
  readonly own: readonly string[];
  /** Whether its name is its `NODE_ID`: then it hears nothing that is sent to another. */
  readonly exact: boolean;
}

/** The packets that Moleculer sends to all nodes. By name: NATS takes `>` for a word that `*` allows, and gives all that is below. */
const TO_ALL = ["DISCOVER", "INFO", "HEARTBEAT", "PING", "DISCONNECT"];

export const newSeed = (): string => `${new TextDecoder().decode(nkeys.createUser().getSeed())}\n`;

const publicKeyOf = (seed: string): string => nkeys.fromSeed(new TextEncoder().encode(seed.trim())).getPublicKey();

/** Where answers of NATS reach the owner of a seed: a subject that no other may listen to. */
export const inboxOf = (seed: string): string => `_INBOX.${publicKeyOf(seed)}`;

/**
 * The entry of a node in NATS's configuration: what Moleculer and JetStream ask of it, and only in its namespace. A stream's name is one word, so each is
 * named, and made by whoever runs the room: a stream can be told to publish again under another subject what comes to it.
 */
export const natsUser = ({ name, seed, namespace, rooms, own, exact }: NatsUser): string => {
  const packets = `MOL-${namespace}`;
  const publish = [
    ...TO_ALL.map((packet) => `${packets}.${packet}.${name}`),
    `${packets}.*.*.*.${name}`,
    ...own.map((room) => `banyan.${namespace}.${room}.*`),
    "$JS.API.INFO",
    "$JS.API.STREAM.LIST",
    ...rooms.flatMap((room) => {
      const stream = `${namespace}_${room}`;
      return [
        `$JS.API.STREAM.INFO.${stream}`,
        `$JS.API.CONSUMER.*.${stream}`,
        `$JS.API.CONSUMER.*.${stream}.>`,
        `$JS.API.CONSUMER.MSG.NEXT.${stream}.*`,
      ];
    }),
    ...own.flatMap((room) => [`$JS.API.STREAM.CREATE.${namespace}_${room}`, `$JS.API.STREAM.DELETE.${namespace}_${room}`]),
  ];
  const heard = `${packets}.*.${name}.${exact ? name : "*"}.*`;
  const subscribe = [...TO_ALL.map((packet) => `${packets}.${packet}.*`), heard, `${inboxOf(seed)}.>`];
  return `    # ${name}${own.length > 0 ? `: ${own.join(", ")}` : ", which publishes no events"}
    {
      nkey: ${publicKeyOf(seed)}
      permissions: {
        publish: { allow: [${listed(publish)}] }
        subscribe: { allow: [${listed(subscribe)}] }
      }
    }
`;
};

const listed = (subjects: readonly string[]): string => subjects.map((subject) => `\n          "${subject}"`).join("");

/** What NATS's configuration includes: who may connect, all of them by nkeys, and nobody else. */
export const natsUsersFile = (users: readonly string[]): string => `# Made by npm run certs from nodes/*.nats, each time anew: change those.
authorization {
  users: [
${users.join("")}  ]
}
`;
