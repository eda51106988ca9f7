/* The Runtime API over one kept connection, without node:http: half a millisecond less for each invocation.

   AWS: Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes". */
"use strict";

const net = require("net");
const { errorBody, oneLine, serialize, xrayCause } = require("./errors.js");

const PREFIX = "/2018-06-01/runtime/";
const USER_AGENT = `undercast-nodejs/${process.versions.node}`;
const MAX_XRAY_BYTES = 1024 * 1024;

/** One kept connection. It holds the event loop only while it waits for an answer: `beforeExit` depends on that. */
class Api {
  constructor(address) {
    const colon = address.lastIndexOf(":");
    this.address = address;
    this.hostname = address.slice(0, colon);
    this.port = parseInt(address.slice(colon + 1), 10);
    this._socket = null;
    this._waiting = null;
    this._forget();
  }

  close() {
    if (this._socket) this._socket.destroy();
  }

  next() {
    return this._request("GET", "invocation/next", null, {});
  }

  respond(id, body) {
    const where = `invocation/${encodeURIComponent(id)}/response`;
    return this._request("POST", where, body, { "Content-Type": "application/json" });
  }

  fail(id, error) {
    const cause = xrayCause(error);
    const more = cause && Buffer.byteLength(cause) < MAX_XRAY_BYTES ? { "Lambda-Runtime-Function-XRay-Error-Cause": cause } : {};
    return this._postError(`invocation/${encodeURIComponent(id)}/error`, error, more);
  }

  failInit(error) {
    return this._postError("init/error", error, {});
  }

  _postError(where, error, more) {
    const body = errorBody(error);
    const type = { "Content-Type": "application/json", "Lambda-Runtime-Function-Error-Type": oneLine(body.errorType) };
    return this._request("POST", where, serialize(body), Object.assign(type, more));
  }

  /** Written at once, so that a process that exits after its answer has given it. */
  _request(method, where, body, headers) {
    // An error may come while `next` waits: it goes another way.
    if (this._waiting) return new Api(this.address)._request(method, where, body, headers);
    const lines = [`${method} ${PREFIX}${where} HTTP/1.1`, `Host: ${this.address}`, `User-Agent: ${USER_AGENT}`];
    for (const name of Object.keys(headers)) lines.push(`${name}: ${headers[name]}`);
    if (body !== null) lines.push(`Content-Length: ${Buffer.byteLength(body)}`);
    return new Promise((resolve, reject) => {
      this._waiting = { resolve, reject };
      if (this._socket === null) this._connect();
      this._socket.ref();
      this._socket.write(`${lines.join("\r\n")}\r\n\r\n${body === null ? "" : body}`, "utf8");
    });
  }

  _connect() {
    const socket = net.connect(this.port, this.hostname);
    this._socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk) => this._receive(chunk));
    socket.on("error", (error) => this._closed(socket, error));
    socket.on("close", () => this._closed(socket, new Error("the Runtime API closed the connection")));
  }

  _closed(socket, error) {
    if (this._socket !== socket) return;
    this._socket = null;
    this._forget();
    const waiting = this._waiting;
    this._waiting = null;
    if (waiting) waiting.reject(error);
  }

  _forget() {
    this._headers = null;
    this._chunks = [];
    this._missing = 0;
  }

  _receive(chunk) {
    this._chunks.push(chunk);
    this._missing -= chunk.length;
    if (this._headers === null) this._readHead();
    if (this._headers === null || this._missing > 0) return;
    const answer = { headers: this._headers, body: Buffer.concat(this._chunks) };
    this._forget();
    this._socket.unref();
    const waiting = this._waiting;
    this._waiting = null;
    if (waiting) waiting.resolve(answer);
  }

  _readHead() {
    const whole = Buffer.concat(this._chunks);
    const end = whole.indexOf("\r\n\r\n");
    if (end < 0) return;
    const headers = {};
    for (const line of whole.toString("utf8", 0, end).split("\r\n").slice(1)) {
      const colon = line.indexOf(":");
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    const body = whole.slice(end + 4);
    this._headers = headers;
    this._chunks = [body];
    this._missing = parseInt(headers["content-length"] || "0", 10) - body.length;
  }
}

module.exports = { Api, PREFIX };
