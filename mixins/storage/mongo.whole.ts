import { Unavailable } from "../core/errors.ts";
import { config } from "../runtime/config.ts";
import { Refused } from "../runtime/refused.ts";
import { MongoHost } from "./mongo.host.ts";
import { movingIn } from "./mongo.portable-record.ts";

/** Throws `Refused` where what is in the databases is a part of what shall be there. A MongoDB that does not answer now says nothing. */
export const requireWhole = async (): Promise<void> => {
  const host = MongoHost.open();
  try {
    const mark = await host.ask(() => movingIn(host.client, config.namespace).findOne({ _id: "mark" }));
    if (mark)
      throw new Refused(
        `MONGO_URL: a move into ${config.namespace} from ${mark.from} was interrupted; run npm run migrate or restore again`,
      );
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
  } finally {
    await host.close();
  }
};
