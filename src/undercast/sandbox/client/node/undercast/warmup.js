/* What a prestarted process does before it waits: some invocations with itself, so that its function's first one finds
   code that is compiled and sockets that were opened before.

   Node.js compiles a function when it is first called: of a first invocation that was half of the processor's time. */
"use strict";

const net = require("net");
const { Api } = require("./api.js");
const { rehearse } = require("./callbacks.js");
const { loadHandler } = require("./handler.js");

const HEAD = "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: 1\r\nLambda-Runtime-Deadline-Ms: 1\r\n";
const ANSWER = `${HEAD}Content-Length: 2\r\n\r\n{}`;
const ROUNDS = 3;

/** Speak to a Runtime API of its own, on a loopback that nobody else has. Nothing of it is left, whatever happens. */
async function warmUp() {
  const server = net.createServer((socket) => socket.on("error", () => {}).on("data", () => socket.write(ANSWER)));
  try {
    await new Promise((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
    const api = new Api(`127.0.0.1:${server.address().port}`);
    const handler = await loadHandler(__dirname, "warmup.echo", false);
    for (let round = 0; round < ROUNDS; round++) await rehearse(api, handler);
    api.close();
    await new Promise((resolve) => server.close(resolve));
  } catch (_) {
    server.close(() => {});
  }
  if (require("module").registerHooks) await import(__filename).catch(() => {}); // handlers of Node.js 24 are imported
}

async function echo(event) {
  return event;
}

module.exports = { echo, warmUp };
