// Stands for the C++ half of AWS's client: next, done and error over HTTP. done and error block, as the original does.
"use strict";
const http = require("http");
const { execFileSync } = require("child_process");
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");

function next() {
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, path: "/2018-06-01/runtime/invocation/next" }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ bodyJson: Buffer.concat(chunks).toString(), headers: response.headers }));
    });
    request.on("error", reject);
    request.end();
  });
}

function post(path, body, headers) {
  const script = `
    const { host, port, path, body, headers } = JSON.parse(require("fs").readFileSync(0, "utf8"));
    require("http").request({ host, port, method: "POST", path, headers }, (r) => r.resume()).end(body);`;
  const input = JSON.stringify({ host, port, path: `/2018-06-01/runtime/invocation/${path}`, body, headers });
  execFileSync(process.execPath, ["-e", script], { input, env: {} });
}

const client = {
  next,
  done: (id, body) => post(`${id}/response`, body, { "Content-Type": "application/json" }),
  error: (id, body) => post(`${id}/error`, body, { "Content-Type": "application/json" }),
};
require("module")._extensions[".node"] = (module) => {
  module.exports = client;
};
