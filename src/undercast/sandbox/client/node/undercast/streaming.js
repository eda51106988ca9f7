/* Response streaming, and the global `awslambda` through which functions ask for it.

   AWS: Lambda Developer Guide, "Response streaming for Lambda functions", "Using the Lambda runtime API". */
"use strict";

const net = require("net");
const { PREFIX } = require("./api.js");
const { errorBody, oneLine, runtimeError } = require("./errors.js");

const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");
const HIGH_WATER_MARK = Symbol.for("aws.lambda.runtime.handler.streaming.highWaterMark");
const HTTP_PRELUDE = "application/vnd.awslambda.http-integration-response";
const PROTECTED = Object.freeze({
  REQUEST_ID: Symbol.for("_AWS_LAMBDA_REQUEST_ID"),
  X_RAY_TRACE_ID: Symbol.for("_AWS_LAMBDA_X_RAY_TRACE_ID"),
  TENANT_ID: Symbol.for("_AWS_LAMBDA_TENANT_ID"),
});
const STREAM_METHODS = (
  "cork destroy end uncork write addListener emit eventNames getMaxListeners listenerCount listeners off on once " +
  "prependListener prependOnceListener rawListeners removeAllListeners removeListener setMaxListeners setContentType"
).split(" ");
const STREAM_FIELDS = ["destroyed", "writable", "_onBeforeFirstWrite"];
const STREAM_VIEWS = (
  "writableFinished writableObjectMode writableEnded writableNeedDrain writableHighWaterMark writableCorked writableLength"
).split(" ");

class HttpResponseStream {
  /** Status and headers of a function URL, before the first byte of its body. */
  static from(stream, prelude) {
    stream.setContentType(HTTP_PRELUDE);
    stream._onBeforeFirstWrite = (write) => {
      write(JSON.stringify(prelude));
      write(new Uint8Array(8));
    };
    return stream;
  }
}

/** A chunked POST whose trailers can tell an error: {stream, done, fail}. `done` settles with the API's answer. */
function openResponse(api, id, highWaterMark) {
  const http = require("http");
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  agent.createConnection = (options, listener) => net.createConnection(Object.assign({}, options, { highWaterMark }), listener);
  const request = http.request({
    method: "POST",
    hostname: api.hostname,
    port: api.port,
    path: `${PREFIX}invocation/${encodeURIComponent(id)}/response`,
    agent,
    headers: {
      "Lambda-Runtime-Function-Response-Mode": "streaming",
      "Transfer-Encoding": "chunked",
      Trailer: ["Lambda-Runtime-Function-Error-Type", "Lambda-Runtime-Function-Error-Body"],
      "Content-Type": "application/octet-stream",
    },
  });
  const done = new Promise((resolve, reject) => {
    request.on("error", reject);
    request.on("response", (response) => {
      response.resume();
      response.on("aborted", () => reject(new Error("aborted")));
      response.on("end", () => {
        agent.destroy();
        resolve();
      });
    });
  });
  done.catch(() => request.destroy());
  const fail = (error) => {
    const body = errorBody(error);
    request.addTrailers({
      "Lambda-Runtime-Function-Error-Type": oneLine(body.errorType),
      "Lambda-Runtime-Function-Error-Body": Buffer.from(JSON.stringify(body)).toString("base64"),
    });
    return new Promise((resolve) => request.end(resolve));
  };
  return { stream: writableOnly(withPrelude(request)), done, fail };
}

function withPrelude(request) {
  let written = false;
  const write = request.write.bind(request);
  request.setContentType = (type) => {
    if (written) throw runtimeError("InvalidStreamingOperation", "Cannot set content-type, too late.");
    request.setHeader("Content-Type", type);
  };
  request.write = (chunk, encoding, callback) => {
    const bytes = typeof chunk === "string" || Buffer.isBuffer(chunk) || chunk instanceof Uint8Array;
    if (!written && typeof request._onBeforeFirstWrite === "function") request._onBeforeFirstWrite((first) => write(first));
    written = true;
    return write(bytes ? chunk : JSON.stringify(chunk), encoding, callback);
  };
  return request;
}

/** What a function may do with its response: the methods of a writable stream. */
function writableOnly(inner) {
  const stream = {};
  for (const name of STREAM_METHODS) stream[name] = inner[name].bind(inner);
  for (const name of STREAM_FIELDS) {
    Object.defineProperty(stream, name, { get: () => inner[name], set: (value) => (inner[name] = value) });
  }
  for (const name of STREAM_VIEWS) Object.defineProperty(stream, name, { get: () => inner[name] });
  return stream;
}

/** The global `awslambda`, unless the function has switched it off. */
function setGlobals(store) {
  if (["1", "true"].includes(process.env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA)) return;
  globalThis.awslambda = Object.assign(globalThis.awslambda || {}, {
    streamifyResponse(handler, options) {
      handler[STREAMING] = "response";
      if (options && typeof options.highWaterMark === "number") handler[HIGH_WATER_MARK] = Math.trunc(options.highWaterMark);
      return handler;
    },
    HttpResponseStream,
  });
  if (store) globalThis.awslambda.InvokeStore = store;
}

/** `awslambda.InvokeStore` of Node.js 24: what belongs to the invocation that runs. */
class InvokeStore {
  static get PROTECTED_KEYS() {
    return PROTECTED;
  }
  getContext() {
    return this._context;
  }
  hasContext() {
    return this._context !== undefined;
  }
  get(key) {
    return this._context && this._context[key];
  }
  set(key, value) {
    if (this.isProtectedKey(key)) throw new Error(`Cannot modify protected Lambda context field: ${String(key)}`);
    this._context = this._context || {};
    this._context[key] = value;
  }
  run(context, body) {
    this._context = context;
    return body();
  }
  isProtectedKey(key) {
    return Object.values(PROTECTED).includes(key);
  }
  getRequestId() {
    return this.get(PROTECTED.REQUEST_ID) || "-";
  }
  getXRayTraceId() {
    return this.get(PROTECTED.X_RAY_TRACE_ID);
  }
  getTenantId() {
    return this.get(PROTECTED.TENANT_ID);
  }
}

module.exports = { HIGH_WATER_MARK, InvokeStore, PROTECTED, STREAMING, openResponse, setGlobals };
