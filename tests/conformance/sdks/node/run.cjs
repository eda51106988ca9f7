// Calls operations by name through the AWS SDK for JavaScript v3 and prints what the SDK parsed.
//
// Standard input: {"endpoint", "protocol", "cases": [{"id", "service", "operation", "input"}]}; the protocol is null for
// the one that the SDK prefers. Standard output: one JSON object a line for each case. Times are
// {"$time": milliseconds}, blobs {"$blob": base64}. SDK_MODULES is where npm installed.
"use strict";

const { createRequire } = require("node:module");
const { readFileSync } = require("node:fs");
const load = createRequire(process.env.SDK_MODULES + "/");
const { NodeHttpHandler } = load("@smithy/node-http-handler");

const PACKAGES = {
  apigateway: ["api-gateway", "APIGateway"],
  apigatewayv2: ["apigatewayv2", "ApiGatewayV2"],
  cloudformation: ["cloudformation", "CloudFormation"],
  cloudwatch: ["cloudwatch", "CloudWatch"],
  codedeploy: ["codedeploy", "CodeDeploy"],
  dynamodb: ["dynamodb", "DynamoDB"],
  dynamodbstreams: ["dynamodb-streams", "DynamoDBStreams"],
  elbv2: ["elastic-load-balancing-v2", "ElasticLoadBalancingV2"],
  events: ["eventbridge", "EventBridge"],
  iam: ["iam", "IAM"],
  kinesis: ["kinesis", "Kinesis"],
  kms: ["kms", "KMS"],
  lambda: ["lambda", "Lambda"],
  logs: ["cloudwatch-logs", "CloudWatchLogs"],
  pipes: ["pipes", "Pipes"],
  s3: ["s3", "S3"],
  scheduler: ["scheduler", "Scheduler"],
  secretsmanager: ["secrets-manager", "SecretsManager"],
  sns: ["sns", "SNS"],
  sqs: ["sqs", "SQS"],
  ssm: ["ssm", "SSM"],
  stepfunctions: ["sfn", "SFN"],
  sts: ["sts", "STS"],
  xray: ["xray", "XRay"],
};

/** JSON to what the SDK takes. */
function filled(value) {
  if (Array.isArray(value)) return value.map(filled);
  if (value === null || typeof value !== "object") return value;
  if ("$time" in value) return new Date(value.$time);
  if ("$blob" in value) return Uint8Array.from(Buffer.from(value.$blob, "base64"));
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, filled(item)]));
}

/** What the SDK gives to JSON. */
async function dumped(value) {
  if (value === undefined || value === null) return null;
  if (typeof value === "bigint") return Number(value);
  if (value instanceof String) return value.toString();
  if (typeof value !== "object") return value;
  if (value instanceof Date) return { $time: value.getTime() };
  if (value instanceof Uint8Array) return { $blob: Buffer.from(value).toString("base64") };
  if (typeof value.transformToByteArray === "function") return dumped(await value.transformToByteArray());
  if (Array.isArray(value)) return Promise.all(value.map(dumped));
  if (Symbol.asyncIterator in value) {
    const events = [];
    try {
      for await (const event of value) events.push(await dumped(event));
    } catch (error) {
      events.push({ $error: { name: error.name, message: error.message } });
    }
    return events;
  }
  if (value.constructor && value.constructor.name === "NumericValue") return Number(value.string);
  const found = {};
  for (const [name, item] of Object.entries(value)) found[name] = await dumped(item);
  return found;
}

/** Names of all members that this version of the SDK has in a schema, so that newer ones are not missed. */
function known(schema, names = new Set(), seen = new Set()) {
  const found = typeof schema === "function" ? schema() : schema;
  if (!Array.isArray(found) || seen.has(found)) return names;
  seen.add(found);
  for (const part of found.slice(4)) {
    if (Array.isArray(part) && part.every((name) => typeof name === "string")) part.forEach((name) => names.add(name));
    else if (Array.isArray(part)) part.forEach((inner) => known(inner, names, seen));
    known(part, names, seen);
  }
  return names;
}

async function failure(error) {
  const { name, message, $metadata, $fault, $service, $response, $retryable, ...members } = error;
  return {
    class: error.constructor.name,
    code: name,
    message,
    fault: $fault,
    status: $metadata && $metadata.httpStatusCode,
    request_id: $metadata && $metadata.requestId,
    members: await dumped(members),
    text: String(error.stack),
  };
}

async function run(client, sdk, { id, operation, input }) {
  const kind = Object.keys(sdk).find((name) => name.toLowerCase() === `${operation}Command`.toLowerCase());
  if (kind === undefined) return { id, unknown: true };
  const command = new sdk[kind](filled(input));
  command.middlewareStack.add(
    (next) => (args) => {
      args.request.headers["x-case"] = String(id);
      return next(args);
    },
    { step: "build", name: "case" },
  );
  const [input_names, output_names] = command.schema.slice(4, 6).map((part) => [...known(part)]);
  try {
    const { $metadata, ...output } = await client.send(command);
    return { id, input_names, output_names, output: await dumped(output), request_id: $metadata.requestId };
  } catch (error) {
    return { id, input_names, output_names, error: await failure(error) };
  }
}

async function main() {
  const { endpoint, protocol, cases } = JSON.parse(readFileSync(0, "utf8"));
  const clients = new Map();
  for (const one of cases) {
    const [folder, prefix] = PACKAGES[one.service];
    const sdk = load(`@aws-sdk/client-${folder}`);
    if (!clients.has(one.service)) {
      clients.set(
        one.service,
        new sdk[`${prefix}Client`]({
          endpoint,
          region: "eu-west-1",
          credentials: { accessKeyId: "AKIAEXAMPLE", secretAccessKey: "secret" },
          forcePathStyle: true,
          ...(protocol === "smithy-rpc-v2-cbor" && { protocol: load("@smithy/core/cbor").SmithyRpcV2CborProtocol }),
          maxAttempts: 1,
          // Kinesis' client speaks HTTP/2 by default.
          requestHandler: new NodeHttpHandler(),
          disableHostPrefix: true,
          // The answers are made up, so their checksums are too.
          responseChecksumValidation: "WHEN_REQUIRED",
          md5: false,
        }),
      );
    }
    process.stdout.write(JSON.stringify(await run(clients.get(one.service), sdk, one)) + "\n");
  }
  for (const client of clients.values()) client.destroy();
}

main();
