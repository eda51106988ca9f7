/* Finds a function's handler: CommonJS, ES modules, and AWS's rules for handler names.

   AWS: Lambda Developer Guide, "Define Lambda function handler in Node.js". */
"use strict";

const fs = require("fs");
const path = require("path");
const { runtimeError, runtimeMajor } = require("./errors.js");
const { STREAMING } = require("./streaming.js");

/** Names us in "Require stack" as AWS's runtime is named, and nothing else of ours. */
const requireUser = require("module").createRequire(path.join(path.dirname(__dirname), "index.mjs"));
const FIRST_THROUGH_NODE_PATH = 18;
let throughNodePath = false;

/** The handler that a name like `folder/file.exported.name` means. */
async function loadHandler(root, name, late) {
  if (name.includes("..")) {
    const hint = "Use absolute paths when specifying root directories in handler names.";
    throw runtimeError("MalformedHandlerName", `'${name}' is not a valid handler name. ${hint}`);
  }
  const file = path.basename(name);
  const folder = name.substring(0, name.indexOf(file));
  const match = /^([^.]*)\.(.*)$/.exec(file);
  if (!match) throw runtimeError("MalformedHandlerName", "Bad handler");
  const loaded = await loadModule(root, folder, match[1], late);
  let handler = nested(loaded, match[2]);
  if (!handler && late && loaded && loaded.default) handler = nested(loaded.default, match[2]);
  if (!handler) throw runtimeError("HandlerNotFound", `${name} is undefined or not exported`);
  if (typeof handler !== "function") throw runtimeError("HandlerNotFound", `${name} is not a function`);
  if (handler[STREAMING] && handler[STREAMING] !== "response") {
    throw runtimeError("MalformedStreamingHandler", "Only response streaming is supported.");
  }
  return handler;
}

function nested(value, names) {
  return names.split(".").reduce((inner, key) => inner && inner[key], value);
}

async function loadModule(root, folder, name, late) {
  try {
    const file = path.resolve(root, folder, name);
    const found = late ? await importFirst(file, ["", ".js", ".mjs", ".cjs"]) : await requireFirst(file);
    if (found) return found;
    return requireUser(requireUser.resolve(name, { paths: [root, late ? path.join(root, folder) : folder] }));
  } catch (error) {
    if (error instanceof SyntaxError) throw syntaxError(error, late);
    if (error && error.code === "MODULE_NOT_FOUND") throw runtimeError("ImportModuleError", String(error));
    throw error;
  }
}

function syntaxError(error, late) {
  const outer = runtimeError("UserCodeSyntaxError", String(error));
  if (late) outer.stack = error.stack;
  return outer;
}

async function importFirst(file, extensions) {
  for (const extension of extensions) {
    if (!fs.existsSync(file + extension)) continue;
    importThroughNodePath();
    return import(file + extension);
  }
  return undefined;
}

async function requireFirst(file) {
  if (fs.existsSync(file)) return requireUser(file);
  const isModule = fs.existsSync(file + ".js") && inModulePackage(path.dirname(file));
  if (!isModule && fs.existsSync(file + ".js")) return requireUser(file + ".js");
  const imported = await importFirst(file, isModule ? [".js"] : [".mjs"]);
  return imported || (fs.existsSync(file + ".cjs") ? requireUser(file + ".cjs") : undefined);
}

/** Whether the nearest package.json says "type": "module". */
function inModulePackage(folder) {
  if (folder.endsWith("/node_modules")) return false;
  const file = path.join(folder, "package.json");
  if (fs.existsSync(file)) {
    try {
      return JSON.parse(fs.readFileSync(file, "utf8")).type === "module";
    } catch (error) {
      console.warn(`${file} cannot be read, it will be ignored for ES module detection purposes.`, error);
      return false;
    }
  }
  return folder === "/" ? false : inModulePackage(path.dirname(folder));
}

/** From Node.js 18 on, AWS's runtimes find what ES modules import through NODE_PATH, too.

    Where hooks need a thread (before Node.js 22.15: 20 ms), a CommonJS function's import() has to do without. */
function importThroughNodePath() {
  if (throughNodePath || runtimeMajor() < FIRST_THROUGH_NODE_PATH) return;
  throughNodePath = true;
  const nodeModule = require("module");
  const folders = (process.env.NODE_PATH || "").split(":").filter((folder) => folder.endsWith("/node_modules"));
  const parents = folders.map((folder) => `file://${path.dirname(folder)}/index.js`);
  if (nodeModule.registerHooks) {
    nodeModule.registerHooks({ resolve: (name, context, next) => resolveIn(parents, name, context, next) });
  } else if (nodeModule.register) {
    const source = `let parents = [];
      export function initialize(data) { parents = data; }
      export async function resolve(name, context, next) {
        try { return await next(name, context); } catch (error) {
          if (error.code !== "ERR_MODULE_NOT_FOUND" || /^[./]|^[a-z]+:/.test(name)) throw error;
          for (const parentURL of parents) {
            try { return await next(name, { ...context, parentURL }); } catch (_) { continue; }
          }
          throw error;
        }
      }`;
    nodeModule.register("data:text/javascript," + encodeURIComponent(source), { data: parents });
  }
}

function resolveIn(parents, name, context, next) {
  try {
    return next(name, context);
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND" || /^[./]|^[a-z]+:/.test(name)) throw error;
    for (const parentURL of parents) {
      try {
        return next(name, Object.assign({}, context, { parentURL }));
      } catch (_) {
        continue;
      }
    }
    throw error;
  }
}

module.exports = { importThroughNodePath, loadHandler };
