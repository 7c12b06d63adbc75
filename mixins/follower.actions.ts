import type { Service, ServiceSchema } from "moleculer";
import { Rejected } from "./core/errors.ts";
import { action } from "./core/params.ts";
import { deadLetterActions, type Following } from "./dead-letters.actions.ts";
import { replay } from "./follower.replay.ts";
import { tellFigures } from "./runtime/room.figures.ts";

type Holder = Service & { followers?: Map<string, Following> };

/** Adds a follower to those that the service answers for, and its figures to those of its node. */
export const addFollower = (service: Holder, name: string, following: Following): void => {
  service.followers ??= new Map();
  service.followers.set(name, following);
  tellFigures(service, `follower ${name}`, async () => {
    const labels = { follower: name, source: following.follower.following.source };
    const [{ position, end }, parked] = await Promise.all([
      following.follower.progress(),
      following.cursors.parked(following.followerName, labels.source),
    ]);
    return [
      { name: "banyan.consumer.lag", value: end - Math.max(0, position), labels },
      { name: "banyan.consumer.parked", value: parked.length, labels },
    ];
  });
};

const row = { follower: "string", source: "string", view: "boolean", position: "number", end: "number" } as const;

/** What a service that follows others answers about its followers: how far they are, what they gave up, and a second time of all. */
export const followerActions: ServiceSchema["actions"] = {
  ...deadLetterActions,
  "followers.list": action({
    visibility: "public",
    params: {},
    returns: { items: { type: "array", items: { type: "object", props: row } } },
    async handler(this: Holder) {
      const of = async ([follower, following]: [string, Following]) => ({
        follower,
        source: following.follower.following.source,
        view: following.rebuild !== undefined,
        ...(await following.follower.progress()),
      });
      return { items: await Promise.all([...(this.followers ?? [])].map(of)) };
    },
  }),
  /** Has what followed from events follow again: see `replay`. `here` is false where another node works for the follower. */
  "followers.replay": action({
    visibility: "public",
    params: { follower: "string", since: { type: "number", min: 0, default: 0 } },
    returns: { here: "boolean", commits: "number", streams: "number" },
    timeout: 0, // as long as the record is
    async handler(this: Holder, ctx) {
      const { follower, since } = ctx.params;
      const following = this.followers?.get(follower);
      if (!following) throw new Rejected("FOLLOWER_NOT_FOUND", `${this.name} has no follower ${follower}`, 404);
      if (following.rebuild) throw new Rejected("FOLLOWER_IS_VIEW", `${follower} is a view: it is rebuilt, from the whole record`, 422);
      const replayed = await replay(following.follower, since);
      return replayed ? { here: true, ...replayed } : { here: false, commits: 0, streams: 0 };
    },
  }),
};
