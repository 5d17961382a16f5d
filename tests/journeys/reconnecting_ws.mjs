// Follows the signals with graphql-ws, with the last cursor as a variable.
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { follow } from "./following.mjs";

const [url, key] = process.argv.slice(2);
const query = "subscription ($after: String) { signalReceived(after: $after) { cursor signal { type } } }";
const client = createClient({
  url,
  webSocketImpl: WebSocket,
  connectionParams: { authorization: `Bearer ${key}` },
  retryAttempts: 0,
});

await follow(
  (after) => client.iterate({ query, variables: { after } }),
  (error) => error?.code === 1006 || error?.type === "error",
);
