// Follows the signals from the last cursor, and again whenever the line breaks, which `isBroken` tells of an error.
// Prints "watch" for each subscription and "cursor type" for each signal.
export async function follow(subscribe, isBroken) {
  let after = "0";
  for (;;) {
    console.log("watch");
    try {
      for await (const { data, errors } of subscribe(after)) {
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
}
