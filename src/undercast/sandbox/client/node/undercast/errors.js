/* Errors as the Runtime API, X-Ray and the log get them.

   AWS: Lambda Developer Guide, "Using the Lambda runtime API", "Invocation error". */
"use strict";

const util = require("util");

/** The runtime that was asked for; on this machine another version may serve it. */
function runtimeMajor() {
  const named = /nodejs(\d+)/.exec(process.env.AWS_EXECUTION_ENV || "");
  return parseInt(named ? named[1] : process.versions.node, 10);
}

/** An error of the runtime itself. From Node.js 24 on AWS gives it a name of its own, which the log then shows. */
function runtimeError(name, message) {
  const type = class extends Error {};
  const late = runtimeMajor() >= 24;
  Object.defineProperty(type, "name", { value: late ? name.replace(/(NotFound|HandlerName|Deprecated)$/, "$1Error") : name });
  if (!late) type.prototype.name = "Runtime." + name;
  const error = new type(message);
  if (late) error.name = "Runtime." + name;
  return error;
}

function escapeDel(text) {
  return typeof text === "string" ? text.replace(/\x7F/g, "%7F") : text;
}

/** The body that the Runtime API gets for a thrown value. */
function errorBody(error) {
  try {
    const looksLike = error && typeof error.name === "string" && typeof error.message === "string" && error.stack;
    if (util.types.isNativeError(error) || (looksLike && error.name && error.message)) {
      return {
        errorType: escapeDel(error.name),
        errorMessage: escapeDel(error.message),
        trace: escapeDel(error.stack).split("\n"),
      };
    }
    return { errorType: typeof error, errorMessage: error.toString(), trace: [] };
  } catch (_) {
    return {
      errorType: "handled",
      errorMessage:
        "callback called with Error argument, but there was a problem while retrieving one or more of its message, " +
        "name, and stack",
    };
  }
}

function serialize(value) {
  try {
    return JSON.stringify(value === undefined ? null : value);
  } catch (_) {
    throw new Error("Unable to stringify response body");
  }
}

/** The X-Ray cause document of an error; "" when it cannot be told. */
function xrayCause(error) {
  try {
    const stack = escapeDel(error.stack).split("\n").slice(1).map((line) => {
      const trimmed = line.trim().replace(/[()]/g, "").replace(/^[^\s]*\s/, "");
      const space = trimmed.lastIndexOf(" ");
      const where = (space >= 0 ? trimmed.slice(space + 1) : trimmed).split(":");
      return { path: where[0], line: parseInt(where[1], 10), label: space >= 0 ? trimmed.slice(0, space) : "anonymous" };
    });
    return JSON.stringify({
      working_directory: process.cwd(),
      exceptions: [{ type: escapeDel(error.name), message: escapeDel(error.message), stack }],
      paths: Array.from(new Set(stack.map((entry) => entry.path))),
    });
  } catch (_) {
    return "";
  }
}

function oneLine(text) {
  return String(text).replace(/[\r\n]+/g, " ");
}

module.exports = { errorBody, oneLine, runtimeError, runtimeMajor, serialize, xrayCause };
