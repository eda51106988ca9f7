"""AWS's SDK for JavaScript speaks HTTP/2 to Kinesis, plain or over TLS, and nothing else.

AWS: @aws-sdk/client-kinesis; Kinesis API Reference, SubscribeToShard.
"""

import json
import os
import subprocess
from typing import Any

from tests.conformance.sdks.programs import node
from tests.platform import RunningPlatform
from tests.services.kinesis.conftest import make, put

PROGRAM = """
const http2 = require("http2");
const { createRequire } = require("module");
const {
  GetRecordsCommand, GetShardIteratorCommand, KinesisClient, PutRecordsCommand, RegisterStreamConsumerCommand,
  SubscribeToShardCommand,
} = createRequire(process.env.SDK_MODULES + "/x.js")("@aws-sdk/client-kinesis");
const { endpoint, account, stream, credentials } = JSON.parse(process.argv[1]);

function offered(servername) {
  const port = new URL(endpoint).port;
  return new Promise((resolve) => {
    const session = http2.connect("https://127.0.0.1:" + port, { servername, rejectUnauthorized: false });
    session.on("connect", () => { resolve(session.alpnProtocol); session.destroy(); });
    session.on("error", () => resolve(null));
  });
}

async function main() {
  const client = new KinesisClient({ endpoint, region: "us-east-1", credentials, maxAttempts: 1 });
  const ShardId = "shardId-000000000000";
  const Records = [1, 2, 3].map((n) => ({ Data: Buffer.alloc(900000, n), PartitionKey: "k" }));
  await client.send(new PutRecordsCommand({ StreamName: stream, Records }));
  const begin = { StreamName: stream, ShardId, ShardIteratorType: "TRIM_HORIZON" };
  const { ShardIterator } = await client.send(new GetShardIteratorCommand(begin));
  const read = (await client.send(new GetRecordsCommand({ ShardIterator }))).Records.map((one) => one.Data.length);
  const StreamARN = `arn:aws:kinesis:us-east-1:${account}:stream/${stream}`;
  const { Consumer } = await client.send(new RegisterStreamConsumerCommand({ StreamARN, ConsumerName: "c" }));
  const StartingPosition = { Type: "LATEST" };
  const subscription = { ConsumerARN: Consumer.ConsumerARN, ShardId, StartingPosition };
  const { EventStream } = await client.send(new SubscribeToShardCommand(subscription));
  console.log("subscribed");
  let pushed = "";
  for await (const event of EventStream) {
    const records = event.SubscribeToShardEvent.Records;
    if (records.length) { pushed = Buffer.from(records[0].Data).toString(); break; }
  }
  const kinesis = await offered("kinesis.us-east-1.amazonaws.com");
  console.log(JSON.stringify({ read, pushed, kinesis, other: await offered("sqs.us-east-1.amazonaws.com") }));
  process.exit(0);
}
main();
"""


def test_the_sdk_for_javascript_works_as_it_is(platform: RunningPlatform, kinesis: Any, account: str) -> None:
    """Checked signatures, large bodies both ways, events pushed; TLS offers HTTP/2 on Kinesis's host names alone."""
    sdk, name, iam = node(), make(kinesis, 1), platform.client("iam", account=account)
    iam.create_user(UserName="u")
    allow = {"Effect": "Allow", "Action": "kinesis:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=policy)
    key = iam.create_access_key(UserName="u")["AccessKey"]
    credentials = {"accessKeyId": key["AccessKeyId"], "secretAccessKey": key["SecretAccessKey"]}
    said = json.dumps({"endpoint": platform.url, "account": account, "stream": name, "credentials": credentials})
    program = subprocess.Popen(
        [sdk.command[0], "-e", PROGRAM, said],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **sdk.environment},
    )
    try:
        assert program.stdout is not None
        assert program.stdout.readline() == "subscribed\n"
        put(kinesis, name, "pushed")
        output, errors = program.communicate(timeout=60)
    finally:
        program.kill()
    assert output, errors
    assert json.loads(output) == {"read": [900_000] * 3, "pushed": "pushed", "kinesis": "h2", "other": False}
