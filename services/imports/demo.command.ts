import { exitFor, Refused } from "../../mixins/runtime/refused.ts";
import { sampleBooks } from "./imports.sample.ts";
import { importSource } from "./imports.session.ts";
import { textSource } from "./imports.source.ts";

if (process.argv.length > 2) {
  console.log(
    "npm run demo\n\nLoads a made-up year of 2,000 invoice lines into the system under DATA_DIR, the same each time, and says what to look at.",
  );
  process.exit(process.argv[2] === "--help" || process.argv[2] === "-h" ? 0 : 2);
}

/** Loads a small made-up year of books, the same each time, through the same import as real ones, and says what to look at. */
const { config } = await import("../../mixins/runtime/config.ts").catch((error: Error) => exitFor(new Refused(error.message)));
await importSource(textSource(sampleBooks()), {}).catch(exitFor);

const api = `${config.https ? "https" : "http"}://${config.host}:${config.port || 3000}/api/v1`;
console.log(`
It is in ${config.dataDir}. Start the system (npm start), then look:

  token="Authorization: Bearer $(npm run --silent token)"
  curl -H "$token" '${api}/deals?limit=3'
  curl -H "$token" '${api}/deals/540045'
  curl -H "$token" '${api}/deals/540045/history'
  curl -H "$token" '${api}/customers/unknown'
  curl -H "$token" '${api}/inventory?limit=3'
  curl -H "$token" '${api}/analytics/revenue?by=month'
  curl -H "$token" '${api}/analytics/revenue?by=product&top=5'
  curl -H "$token" -H 'Accept: text/csv' '${api}/analytics/revenue?by=country'`);
