/* console as Lambda's Node.js runtimes have it: records in AWS's text or JSON format, on the telemetry descriptor.

   AWS: Lambda Developer Guide, "Log and monitor Node.js Lambda functions". */
"use strict";

const fs = require("fs");
const util = require("util");
const { errorBody } = require("./errors.js");

const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
const REQUEST_ID = Symbol.for("aws.lambda.runtime.requestId");
const TENANT_ID = Symbol.for("aws.lambda.runtime.tenantId");

/** Where records go and which ids they carry. */
class Log {
  constructor(store) {
    this._store = store;
    this.json = (process.env.AWS_LAMBDA_LOG_FORMAT || "").toUpperCase() === "JSON";
    const descriptor = parseInt(process.env._LAMBDA_TELEMETRY_LOG_FD, 10);
    delete process.env._LAMBDA_TELEMETRY_LOG_FD;
    this._descriptor = descriptor >= 0 ? descriptor : null;
    this._least = Math.max(0, LEVELS.indexOf((process.env.AWS_LAMBDA_LOG_LEVEL || "").toUpperCase()));
  }

  /** Have console's functions write records. */
  patchConsole() {
    LEVELS.forEach((level, number) => {
      const drops = number < this._least && level !== "FATAL";
      console[level.toLowerCase()] = drops ? () => {} : (message, ...more) => this._write(number, message, more);
    });
    console.log = console.info;
  }

  error(message, error) {
    const thrown = error instanceof Error ? error : new Error(error);
    if (this.json) console.error(thrown);
    else console.error(message, "\t" + errorFields(thrown));
    if (/Cannot find (module|package) '(aws-sdk|@aws-sdk\/|@smithy\/)/.test(thrown.message)) {
      const runtime = (process.env.AWS_EXECUTION_ENV || "").replace("AWS_Lambda_", "");
      process.stderr.write(`undercast: AWS's SDK for JavaScript comes with \`undercast runtimes install ${runtime}\`\n`);
    }
  }

  _write(number, message, more) {
    const now = new Date();
    const text = this.json ? this._object(now, number, message, more) : this._line(now, number, message, more);
    if (this._descriptor === null) {
      process.stdout.write(text.replace(/\n/g, "\r") + "\n");
      return;
    }
    // One write per record: what a crash leaves is whole. Frame: type | level, length, microseconds, message.
    const body = Buffer.from(this.json ? text : text + "\n", "utf8");
    const frame = Buffer.allocUnsafe(16 + body.length);
    frame.writeUInt32BE(((this.json ? 0xa55a0002 : 0xa55a0003) | ((number + 1) << 2)) >>> 0, 0);
    frame.writeUInt32BE(body.length, 4);
    const micros = now.valueOf() * 1000;
    frame.writeUInt32BE(Math.floor(micros / 4294967296), 8);
    frame.writeUInt32BE(micros % 4294967296, 12);
    body.copy(frame, 16);
    for (let sent = 0; sent < frame.length; ) sent += fs.writeSync(this._descriptor, frame, sent, frame.length - sent);
  }

  _requestId() {
    return this._store ? this._store.getRequestId() : global[REQUEST_ID];
  }

  _line(now, number, message, more) {
    return `${now.toISOString()}\t${this._requestId()}\t${LEVELS[number]}\t${util.format(message, ...more)}`;
  }

  _object(now, number, message, more) {
    const record = { timestamp: now.toISOString(), level: LEVELS[number], requestId: this._requestId() };
    const tenant = this._store ? this._store.getTenantId() : global[TENANT_ID];
    if (tenant !== undefined && tenant !== null) record.tenantId = tenant;
    if (more.length === 0) {
      record.message = message;
      try {
        return JSON.stringify(record, withErrorFields);
      } catch (_) {
        record.message = util.format(message);
        return JSON.stringify(record);
      }
    }
    record.message = util.format(message, ...more);
    const error = [message, ...more].find((value) => value instanceof Error);
    if (error) {
      record.errorType = errorClass(error);
      record.errorMessage = error.message;
      record.stackTrace = typeof error.stack === "string" ? error.stack.split("\n") : [];
    }
    return JSON.stringify(record);
  }
}

function errorClass(error) {
  return (error.constructor && error.constructor.name) || "UnknownError";
}

function withErrorFields(_, value) {
  if (!(value instanceof Error)) return value;
  const stackTrace = typeof value.stack === "string" ? value.stack.split("\n") : value.stack;
  return Object.assign({ errorType: errorClass(value), errorMessage: value.message, stackTrace }, value);
}

function errorFields(error) {
  try {
    return JSON.stringify(error, (_, value) => {
      if (!(value instanceof Error)) return value;
      const fields = Object.assign({ errorType: value.name, errorMessage: value.message, code: value.code }, value);
      if (typeof value.stack === "string") fields.stack = value.stack.split("\n");
      return fields;
    });
  } catch (_) {
    return JSON.stringify(errorBody(error));
  }
}

module.exports = { Log, REQUEST_ID, TENANT_ID };
