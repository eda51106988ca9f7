/* Invocations up to Node.js 22: handlers with callbacks, or async ones; an invocation may end with the event loop.

   A handler that gives neither a callback nor a promise answers null when nothing is left to wait for (`beforeExit`).
   AWS: Lambda Developer Guide, "Define Lambda function handler in Node.js", "Using callbacks"; context's
   callbackWaitsForEmptyEventLoop. */
"use strict";

const { environmentFields, headerFields, setTrace } = require("./context.js");
const { runtimeError, serialize } = require("./errors.js");
const { REQUEST_ID, TENANT_ID } = require("./log.js");
const { HIGH_WATER_MARK, STREAMING, openResponse } = require("./streaming.js");

const BEFORE_EXIT = Symbol.for("aws.lambda.beforeExit");
const UNCAUGHT = { code: 129, text: "Uncaught Exception" };
const UNHANDLED = { code: 128, text: "Unhandled Promise Rejection" };
const UNSETTLED_IMPORT = 13;

function atEmptyLoop(action) {
  global[BEFORE_EXIT] = action;
}

function nothing() {}

function isPromise(value) {
  return value && value.then && typeof value.then === "function";
}

/** Load the function and run it until the process ends. */
async function runWithCallbacks(api, log, load) {
  const runtime = new Runtime(api, log);
  let loaded = false;
  atEmptyLoop(nothing);
  process.on("beforeExit", () => global[BEFORE_EXIT]());
  process.on("exit", (code) => {
    if (!loaded && code === 0) process.exitCode = UNSETTLED_IMPORT;
  });
  process.on("uncaughtException", (error) => runtime.die(error, UNCAUGHT));
  process.on("unhandledRejection", (reason, promise) => {
    const error = Object.assign(runtimeError("UnhandledPromiseRejection", reason), { reason, promise });
    runtime.die(error, UNHANDLED);
  });
  try {
    runtime.handler = await load();
  } catch (error) {
    runtime.die(error, UNCAUGHT);
    return;
  }
  loaded = true;
  runtime.schedule();
}

class Runtime {
  constructor(api, log) {
    this.handler = null;
    this._api = api;
    this._log = log;
    this._id = null;
  }

  /** Report what nobody caught, and end. */
  die(error, how) {
    this._log.error(how.text, error);
    const told = this._id === null ? this._api.failInit(error) : this._api.fail(this._id, error);
    const end = () => process.exit(how.code);
    told.then(end, end);
  }

  schedule() {
    setImmediate(() => {
      this._once().catch((error) => {
        console.log(`Unexpected Top Level Error: ${error}`);
        this.die(error, UNCAUGHT);
      });
    });
  }

  async _once() {
    const { headers, body } = await this._api.next();
    this._id = headers["lambda-runtime-aws-request-id"];
    global[REQUEST_ID] = this._id;
    global[TENANT_ID] = headers["lambda-runtime-aws-tenant-id"];
    if (this.handler[STREAMING]) await this._stream(headers, body);
    else this._invoke(headers, body);
  }

  _invoke(headers, body) {
    const answer = new Answer(this._api, this._log, this._id, () => this.schedule());
    try {
      atEmptyLoop(() => answer.giveNothing());
      const event = JSON.parse(body);
      setTrace(headers);
      const context = Object.assign(answer.context, environmentFields(), headerFields(headers));
      const result = this.handler(event, context, answer.callback);
      if (isPromise(result)) result.then(context.succeed, context.fail).catch(context.fail);
    } catch (error) {
      answer.callback(error);
    }
  }

  async _stream(headers, body) {
    const context = { callbackWaitsForEmptyEventLoop: true };
    const { stream, done, fail } = openResponse(this._api, this._id, this.handler[HIGH_WATER_MARK]);
    const failed = async (error) => {
      this._log.error("Invoke Error", error);
      await fail(error);
      this._next(context);
    };
    atEmptyLoop(() => this.schedule());
    try {
      setTrace(headers);
      Object.assign(context, environmentFields(), headerFields(headers));
      const result = this.handler(JSON.parse(body), stream, context);
      if (!isPromise(result)) return failed("Streaming does not support non-async handlers.");
      if ((await result) !== undefined) console.warn("Streaming handlers ignore return values.");
      await done;
      if (!stream.writableFinished) return failed("Response stream is not finished.");
      return this._next(context);
    } catch (error) {
      return failed(error);
    }
  }

  _next(context) {
    atEmptyLoop(nothing);
    if (context.callbackWaitsForEmptyEventLoop) atEmptyLoop(() => setImmediate(() => this.schedule()));
    else this.schedule();
  }
}

/** One invocation's answer: given by callback, by context.done, succeed, fail, or by the empty event loop; once. */
class Answer {
  constructor(api, log, id, scheduleNext) {
    this._api = api;
    this._log = log;
    this._id = id;
    this._scheduleNext = scheduleNext;
    this._given = false;
    let finished = false;
    const once = (action) => (...values) => {
      if (finished) return;
      action(...values);
      finished = true;
    };
    let waits = true;
    this.callback = once((error, result) => this._callBack(error, result, waits));
    this.context = {
      get callbackWaitsForEmptyEventLoop() {
        return waits;
      },
      set callbackWaitsForEmptyEventLoop(value) {
        waits = value;
      },
      succeed: once((result) => this._done(null, result)),
      fail: once((error) => this._done(error === undefined || error === null ? "handled" : error, null)),
      done: once((error, result) => this._done(error, result)),
    };
  }

  giveNothing() {
    this._given = true;
    this._api.respond(this._id, "null").then(this._scheduleNext);
  }

  _callBack(error, result, waits) {
    atEmptyLoop(nothing);
    if (error !== undefined && error !== null) this._giveError(error);
    else if (!waits) this._give(result);
    else atEmptyLoop(() => setImmediate(() => this._give(result)));
  }

  _done(error, result) {
    atEmptyLoop(nothing);
    if (error !== undefined && error !== null) this._giveError(error);
    else this._give(result);
  }

  _giveError(error) {
    this._log.error("Invoke Error", error);
    this._api.fail(this._id, error).then(this._scheduleNext);
  }

  _give(result) {
    if (this._given) {
      console.error("Invocation has already been reported as done. Cannot call complete more than once per invocation.");
      return;
    }
    this._given = true;
    this._api.respond(this._id, serialize(result)).then(this._scheduleNext);
  }
}

/** One invocation before there is a function; what it has set is taken back. */
async function rehearse(api, handler) {
  const runtime = new Runtime(api, null);
  runtime.handler = handler;
  await new Promise((resolve, reject) => {
    runtime.schedule = resolve;
    runtime._once().catch(reject);
  });
  for (const name of [BEFORE_EXIT, REQUEST_ID, TENANT_ID]) delete global[name];
}

module.exports = { rehearse, runWithCallbacks };
