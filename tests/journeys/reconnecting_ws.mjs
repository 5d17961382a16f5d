// Follows the signals with graphql-ws, and again from the last cursor whenever the socket breaks.
// Prints "watch" for each subscription and "cursor type" for each signal.
import { createClient } from "graphql-ws";
import WebSocket from "ws";

const [url, key] = process.argv.slice(2);
const query = "subscription ($after: String) { signalReceived(after: $after) { cursor signal { type } } }";
const client = createClient({
  url,
  webSocketImpl: WebSocket,
  connectionParams: { authorization: `Bearer ${key}` },
  retryAttempts: 0,
});

const isBroken = (error) => error?.code === 1006 || error?.type === "error";
let after = "0";
for (;;) {
  console.log("watch");
  try {
    for await (const { data, errors } of client.iterate({ query, variables: { after } })) {
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
