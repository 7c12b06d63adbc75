import type { Service } from "moleculer";
import type { Carrier } from "../bus/log.ts";
import { type Figure, reporterOf } from "./metrics.ts";

/** A part of a room's figures, such as those of its actors: each has the room's name as a label when somebody asks. */
export type Look = () => Readonly<Record<string, number>> | Promise<readonly Figure[]>;

/** Has a room's figures told with those of its node, from now on. */
export const tellFigures = ({ broker, name: room }: Service, part: string, look: Look): void => {
  reporterOf(broker)?.gather(`${room}/${part}`, async () => {
    const figures = await look();
    if (Array.isArray(figures)) return figures.map(({ labels, ...figure }: Figure) => ({ ...figure, labels: { room, ...labels } }));
    return Object.entries(figures as Record<string, number>).map(([name, value]) => ({ name, value, labels: { room } }));
  });
};

export const forgetFigures = ({ broker, name }: Service, part: string): void => reporterOf(broker)?.forget(`${name}/${part}`);

/** How far what a room commits is behind on its way to the bus, where it has one. */
export const publishing = (carrier: Carrier): Record<string, number> => {
  const behind = carrier.lag?.();
  return behind ? { "banyan.publish.waiting": behind.waiting, "banyan.publish.lag": behind.age } : {};
};
