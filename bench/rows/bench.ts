import type { Load } from "../load/load.ts";
import type { RemoteName } from "../remote/systems.ts";
import type { Measured } from "../report.ts";
import type { SystemName, Systems } from "../systems.ts";

/** What a row has to work with. */
export interface Bench {
  /** The systems that take part in this run. */
  names: readonly SystemName[];
  /** And those of them that take part in the remote rows. */
  remotes: readonly RemoteName[];
  systems: Systems;
  load: Load;
  progress: (text: string) => void;
}

export type Row = (bench: Bench) => Promise<Measured[]>;
