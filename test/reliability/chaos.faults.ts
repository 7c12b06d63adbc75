import { setTimeout as delay } from "node:timers/promises";
import type { Place } from "./chaos.fleet.ts";
import { type Fault, isOfNode } from "./chaos.schedule.ts";
import type { Servers } from "./chaos.servers.ts";
import type { Fleet } from "./fleet.ts";

export interface Attacked {
  readonly fleet: Fleet;
  readonly places: readonly Place[];
  readonly servers: Servers;
}

/** Does to the system what the schedule says, and resolves when all is whole again. A lane that is late goes on with what is next. */
export const attack = async (attacked: Attacked, faults: readonly Fault[], tell: (fault: Fault) => void = () => {}): Promise<void> => {
  const start = performance.now();
  const run = async (lane: readonly Fault[]) => {
    for (const fault of lane) {
      await delay(Math.max(0, fault.at - (performance.now() - start)));
      tell(fault);
      await inflict(attacked, fault);
    }
  };
  await Promise.all([run(faults.filter(isOfNode)), run(faults.filter((fault) => !isOfNode(fault)))]);
};

/** One fault, and its end. */
const inflict = async ({ fleet, places, servers }: Attacked, { kind, target, lasts, delay: late, from }: Fault): Promise<void> => {
  const place = places[target]!;
  const links = place?.links(from);
  switch (kind) {
    case "kill":
    case "stop":
      await (kind === "kill" ? fleet.kill(place.member) : fleet.stop(place.member));
      await delay(lasts);
      return place.start();
    case "pause":
      place.member.child.kill("SIGSTOP");
      await delay(lasts);
      place.member.child.kill("SIGCONT");
      return;
    case "cut":
      for (const link of links) link.cut();
      return;
    case "part":
      await Promise.all(links.map((link) => link.close()));
      await delay(lasts);
      await Promise.all(links.map((link) => link.open()));
      return;
    case "slow":
      for (const link of links) link.slow(late!);
      await delay(lasts);
      for (const link of links) link.slow(0);
      return;
    case "mongo": // never by SIGKILL: what stands in for MongoDB here forgets then what it had acknowledged
    case "redis":
      await servers[kind].end();
      await delay(lasts);
      return servers[kind].again();
    case "nats":
      await servers.nats[target]!.end("SIGKILL");
      await delay(lasts);
      await servers.nats[target]!.again();
      return servers.healthy();
    case "rebuild":
      if (place.member.child.connected) place.member.child.send({ rebuild: REBUILT[target % REBUILT.length] });
  }
};

const REBUILT = ["deals", "analytics", "inventory"] as const;
