import type { Service, ServiceSchema } from "moleculer";
import { Rejected } from "./core/errors.ts";
import { action } from "./core/params.ts";
import type { Follower } from "./follower.ts";
import type { CursorStore, Parked } from "./storage/cursor-store.ts";

/** What a service that follows others keeps in `this.followers`, by the name that people use for it. */
export interface Following {
  readonly cursors: CursorStore;
  readonly follower: Follower;
  readonly followerName: string;
  /** Of a view: it is made anew, for what it holds is not taken in twice. */
  rebuild?(): Promise<void>;
}

type Holder = Service & { followers?: Map<string, Following> };

const letter = {
  type: "object",
  props: {
    follower: "string",
    source: "string",
    stream: "string",
    version: "number",
    type: "string",
    attempts: "number",
    error: "string",
    stack: { type: "string", optional: true },
    at: "string",
  },
} as const;

const address = { follower: "string", source: "string", stream: "string" } as const;

/** The dead letters of one service: each stands at the head of a stream that waits behind it. See `v1.events.deadLetters`. */
export const deadLetterActions: ServiceSchema["actions"] = {
  "deadLetters.list": action({
    visibility: "public",
    params: {},
    returns: { items: { type: "array", items: letter } },
    async handler(this: Holder) {
      const of = async ([name, { cursors, followerName }]: [string, Following]) =>
        (await cursors.parked(followerName)).filter(({ nextAt }) => nextAt === undefined).map((parked) => toLetter(name, parked));
      return { items: (await Promise.all([...(this.followers ?? [])].map(of))).flat() };
    },
  }),
  "deadLetters.replay": action({
    visibility: "public",
    params: address,
    returns: letter.props,
    handler(this: Holder, ctx) {
      return resume(this, ctx.params, 0);
    },
  }),
  "deadLetters.discard": action({
    visibility: "public",
    params: address,
    returns: letter.props,
    handler(this: Holder, ctx) {
      return resume(this, ctx.params, 1);
    },
  }),
};

/** Lets the stream go on: from the event that failed, or from the one after it. */
const resume = async (
  service: Holder,
  { follower, source, stream }: { follower: string; source: string; stream: string },
  skip: number,
) => {
  const following = service.followers?.get(follower);
  const parked =
    following &&
    (await following.cursors.parked(following.followerName, source)).find((p) => p.stream === stream && p.nextAt === undefined);
  if (!parked) throw new Rejected("DEAD_LETTER_NOT_FOUND", `No dead letter of ${stream} from ${source} at ${follower}`, 404);
  await following.cursors.resume(following.followerName, source, stream, parked.version + skip);
  following.follower.wake(0);
  return toLetter(follower, parked);
};

const toLetter = (follower: string, { source, stream, version, type, attempts, error, stack, at }: Parked) => ({
  follower,
  source,
  stream,
  version,
  type,
  attempts,
  error,
  stack,
  at: new Date(at).toISOString(),
});
