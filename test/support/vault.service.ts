import type { ServiceSchema } from "moleculer";
import { vault } from "../../services/auth/auth.vault.ts";

/** Of the room of logins only what rooms with sealed fields cannot do without. */
export default { name: "auth", version: 1, mixins: [vault] } satisfies ServiceSchema;
