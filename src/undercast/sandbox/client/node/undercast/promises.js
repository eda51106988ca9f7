/* Invocations from Node.js 24 on: handlers are async, callbacks are refused, the event loop is not waited for.

   What nobody catches ends the process as in any Node.js program.
   AWS: Lambda Developer Guide, "Define Lambda function handler in Node.js", "Callback-based function handlers". */
"use strict";

const { environmentFields, headerFields, setTrace } = require("./context.js");
const { runtimeError, serialize } = require("./errors.js");
const { HIGH_WATER_MARK, PROTECTED, STREAMING, openResponse } = require("./streaming.js");

const NO_CALLBACKS =
  "ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. You need to " +
  "modify this function to use a supported handler signature to use Node.js 24 or later. For more information see " +
  "https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.";

/** Load the function and run it until the process ends. */
async function runWithPromises(api, log, store, load) {
  let handler;
  try {
    handler = await load();
    if (handler.length >= 3 && !handler[STREAMING]) throw runtimeError("CallbackHandlerDeprecated", NO_CALLBACKS);
  } catch (error) {
    log.error("Init Error", error);
    await api.failInit(error);
    throw error;
  }
  for (;;) {
    const { headers, body } = await api.next();
    const id = headers["lambda-runtime-aws-request-id"];
    const trace = headers["lambda-runtime-trace-id"];
    setTrace(headers);
    const context = Object.assign(headerFields(headers), { xRayTraceId: trace }, environmentFields());
    const event = JSON.parse(body);
    const answer = handler[STREAMING] ? stream : respond;
    await store.run({ [PROTECTED.REQUEST_ID]: id, [PROTECTED.X_RAY_TRACE_ID]: trace }, () =>
      answer({ api, log, handler, id, event, context })
    );
  }
}

function soon() {
  return new Promise((resolve) => setImmediate(resolve));
}

async function respond({ api, log, handler, id, event, context }) {
  try {
    const result = await { handler }.handler(event, context);
    await soon();
    const body = serializeResponse(result);
    await api.respond(id, body);
  } catch (error) {
    await soon();
    log.error("Invoke Error", error);
    await api.fail(id, error);
  }
}

function serializeResponse(result) {
  try {
    return serialize(result);
  } catch (error) {
    throw runtimeError("JSONStringifyError", error.message);
  }
}

async function stream({ api, log, handler, id, event, context }) {
  const { stream: response, done, fail } = openResponse(api, id, handler[HIGH_WATER_MARK]);
  try {
    const result = { handler }.handler(event, response, context);
    if (!result || typeof result.then !== "function") throw new Error("Streaming does not support non-async handlers.");
    if ((await result) !== undefined) console.warn("Streaming handlers ignore return values.");
    await done;
    if (!response.writableFinished) throw new Error("Response stream is not finished.");
  } catch (error) {
    await soon();
    log.error("Invoke Error", error);
    await fail(error);
  }
}

module.exports = { runWithPromises };
