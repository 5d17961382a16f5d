// Runs the server audits of graphql-http against the address of the command line; prints the verdict of each.
import { serverAudits } from "graphql-http";

const [url] = process.argv.slice(2);
const verdicts = [];
for (const audit of serverAudits({ url })) {
  const { status, reason } = await audit.fn().catch((error) => ({ status: "error", reason: String(error) }));
  verdicts.push({ id: audit.id, name: audit.name, status, reason });
}
console.log(JSON.stringify(verdicts));
