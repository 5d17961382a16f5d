// Follows the signals with graphql-sse, and again with the last cursor as Last-Event-ID whenever the response breaks.
// Prints "watch" for each subscription and "cursor type" for each signal.
import { createClient } from "graphql-sse";

const [url, key] = process.argv.slice(2);
const query = "subscription { signalReceived { cursor signal { type } } }";
let after = "0";
const client = createClient({
  url,
  headers: () => ({ authorization: `Bearer ${key}`, "last-event-id": after }),
  retryAttempts: 0,
});

const isBroken = (error) => ["fetch failed", "terminated"].includes(error.message) && !error.response;
for (;;) {
  console.log("watch");
  try {
    for await (const { data, errors } of client.iterate({ query })) {
      if (errors) throw new Error(JSON.stringify(errors));
      const { cursor, signal } = data.signalReceived;
      console.log(cursor, signal.type);
      after = cursor;
    }
    throw new Error("the server completed the feed");
  } catch (error) {
    if (isBroken(error)) continue;
    console.error(error);
    process.exit(1);
  }
}
