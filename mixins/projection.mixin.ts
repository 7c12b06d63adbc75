import type { Service, ServiceSchema } from "moleculer";
import type { DomainEvent } from "./core/model.ts";
import { action } from "./core/params.ts";
import type { Following } from "./dead-letters.actions.ts";
import { addFollower, followerActions } from "./follower.actions.ts";
import type { Projection } from "./view.sink.ts";
import { View } from "./view.ts";

/** What the mixin gives a service; its handlers take it as `this`. */
export interface Projecting {
  /** The view of that name. */
  view<D extends object>(name: string): View<D>;
}

type Holder = Service & { views?: Map<string, View<object>>; followers?: Map<string, Following> };

/**
 * Gives a service a view: documents that follow from a room's events, current within a second, which it lists and adds
 * up. They can be rebuilt from the record while they serve (`v1.<room>.rebuild`).
 */
export const projection = <D extends object, E extends DomainEvent>(spec: Projection<D, E>): ServiceSchema => ({
  name: "",
  metadata: { follows: true },
  methods: {
    view(this: Holder, name: string) {
      const view = this.views?.get(name);
      if (!view) throw new Error(`No view ${name} in ${this.fullName}`);
      return view;
    },
  },
  actions: {
    ...followerActions,
    rebuild: action({
      visibility: "public",
      params: { view: { type: "string", default: spec.name } },
      returns: { view: "string", generation: "number" },
      async handler(this: Projecting, ctx) {
        const view = this.view(ctx.params.view!);
        await view.rebuild();
        return { view: ctx.params.view!, generation: (await view.progress()).generation };
      },
      timeout: 0, // as long as the record is
    }),
    progress: action({
      visibility: "public",
      params: { view: { type: "string", default: spec.name } },
      returns: {
        generation: "number",
        position: "number",
        end: "number",
        rebuilding: { type: "object", optional: true, props: { generation: "number", position: "number", end: "number" } },
      },
      handler(this: Projecting, ctx) {
        return this.view(ctx.params.view!).progress();
      },
    }),
  },
  created(this: Holder) {
    this.views ??= new Map();
    this.views.set(spec.name, new View(this.name, spec as Projection<object, never>, this.logger));
  },
  async started(this: Holder) {
    const view = this.views!.get(spec.name)!;
    await view.start();
    addFollower(this, spec.name, view);
  },
  async stopped(this: Holder) {
    await this.views!.get(spec.name)!.stop();
  },
});
