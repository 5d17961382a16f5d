// Follows the signals with graphql-sse, with the last cursor as Last-Event-ID.
import { createClient } from "graphql-sse";
import { follow } from "./following.mjs";

const [url, key] = process.argv.slice(2);
const query = "subscription { signalReceived { cursor signal { type } } }";
let last = "0";
const client = createClient({
  url,
  headers: () => ({ authorization: `Bearer ${key}`, "last-event-id": last }),
  retryAttempts: 0,
});

await follow(
  (after) => {
    last = after;
    return client.iterate({ query });
  },
  (error) => ["fetch failed", "terminated"].includes(error.message) && !error.response,
);
