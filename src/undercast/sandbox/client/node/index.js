/* What runs as /var/runtime/index.js: the runtime client of Node.js functions, without dependencies.

   Node.js 12 upwards reads it. What a function sees (console, context, callbacks, errors, exit codes, streaming) is what
   AWS's own client gives it: up to Node.js 22 that of aws-lambda-ric 3, from 24 that of aws-lambda-ric 4.
   AWS: Lambda Developer Guide, "Building Lambda functions with Node.js", "Using the Lambda runtime API".

   Prestarted, `node [options] index.js --prestart FD`: it loads what it needs and rehearses (warmup.js), then blocks in
   read(FD) and uses no CPU until one line arrives: {"environment": {name: value}, "cwd": folder}. From there on it is the runtime of the function
   that the environment describes; nothing of the environment before is left. What Node.js reads only when it starts
   (NODE_OPTIONS, NODE_EXTRA_CA_CERTS, TZ, LD_*, heap sizes in `options`) must be the same before and after, so a
   function that sets such a variable needs a fresh process, and the options depend on its memory. */
"use strict";

const fs = require("fs");
const { Api } = require("./undercast/api.js");
const { runtimeMajor } = require("./undercast/errors.js");
const { importThroughNodePath, loadHandler } = require("./undercast/handler.js");
const { runWithCallbacks } = require("./undercast/callbacks.js");
const { Log } = require("./undercast/log.js");
const { runWithPromises } = require("./undercast/promises.js");
const { InvokeStore, setGlobals } = require("./undercast/streaming.js");
const { warmUp } = require("./undercast/warmup.js");

const PRELOAD = "assert buffer child_process crypto dns events http https os querystring stream timers tls url zlib";
const FIRST_WITHOUT_CALLBACKS = 24;

/** Wait for the function that this process is to run; see above. */
function awaitAssignment(descriptor) {
  PRELOAD.split(" ").forEach((name) => require(name));
  const chunk = Buffer.alloc(65536);
  const chunks = [];
  for (let size; !chunks.length || chunks[chunks.length - 1].indexOf(10) < 0; ) {
    size = fs.readSync(descriptor, chunk, 0, chunk.length, null);
    if (size === 0) process.exit(0); // nobody will assign anything any more
    chunks.push(Buffer.from(chunk.slice(0, size)));
  }
  fs.closeSync(descriptor);
  const assigned = JSON.parse(Buffer.concat(chunks).toString("utf8"));
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, assigned.environment);
  process.chdir(assigned.cwd);
  require("module")._initPaths(); // NODE_PATH is another one now
  process.argv.length = 2;
}

async function main() {
  if (process.argv[2] === "--prestart") {
    await warmUp();
    awaitAssignment(parseInt(process.argv[3], 10));
  }
  const late = runtimeMajor() >= FIRST_WITHOUT_CALLBACKS;
  const store = late ? new InvokeStore() : null;
  const log = new Log(store);
  setGlobals(store);
  log.patchConsole();
  if (require("module").registerHooks) importThroughNodePath();
  const api = new Api(process.env.AWS_LAMBDA_RUNTIME_API);
  const load = () => loadHandler(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER, late);
  await (late ? runWithPromises(api, log, store, load) : runWithCallbacks(api, log, load));
}

main();
