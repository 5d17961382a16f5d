// Every call of @segment/analytics-node, sent to the host and with the write key of the command line.
import { Analytics } from "@segment/analytics-node";

const [host, writeKey] = process.argv.slice(2);
const analytics = new Analytics({ host, writeKey, maxRetries: 1 });
analytics.on("error", (error) => {
  console.error(JSON.stringify(error));
  process.exitCode = 1;
});

const userId = "u1";
analytics.page({ anonymousId: "device", category: "Docs", name: "Install", properties: { url: "https://a.dev" } });
analytics.screen({ anonymousId: "device", name: "Home" });
analytics.track({ userId, event: "Order Completed", properties: { total: 9.5, none: null, when: new Date() } });
analytics.alias({ previousId: "device", userId });
analytics.identify({ userId, traits: { email: "ann@segment-node.dev", name: "Ann Lee" } });
analytics.group({ userId, groupId: "g1", traits: { name: "Segment Node", website: "https://segment-node.dev" } });
for (let number = 0; number < 60; number += 1) {
  analytics.track({ userId, event: "Feature Used", messageId: `used-${number % 50}`, properties: { number } });
}
await analytics.closeAndFlush({ timeout: 20000 });
