"""What survives SIGKILL: functions, versions, permissions, and events that were acknowledged."""

import time
from pathlib import Path

from tests import platform as platforms
from tests.services.lambda_.conftest import Account, package

ACCOUNT = "111122223333"


def test_layers_urls_and_provisioned_concurrency_survive_a_kill(tmp_path: Path) -> None:
    """What was asked for is in the store: provisioned environments are made again, the layer is still at /opt."""
    code = "import os, words\ndef handler(event, context):\n    return [words.X, os.environ[TYPE]]\n"
    code = code.replace("TYPE", "'AWS_LAMBDA_INITIALIZATION_TYPE'")
    first = platforms.start(tmp_path)
    try:
        aws = Account(first, ACCOUNT)
        functions = aws.client("lambda")
        layer = functions.publish_layer_version(
            LayerName="l", Content={"ZipFile": package(**{"python/words": "X = 1"})}
        )
        aws.create(Code={"ZipFile": package(app=code)}, Layers=[layer["LayerVersionArn"]], Publish=True)
        functions.delete_layer_version(LayerName="l", VersionNumber=1)
        functions.create_function_url_config(FunctionName="f", AuthType="AWS_IAM")
        functions.put_provisioned_concurrency_config(FunctionName="f", Qualifier="1", ProvisionedConcurrentExecutions=1)
    finally:
        first.kill()
    with platforms.running(tmp_path) as second:
        aws = Account(second, ACCOUNT)
        functions = aws.client("lambda")
        until = time.monotonic() + 30
        where = {"FunctionName": "f", "Qualifier": "1"}
        while functions.get_provisioned_concurrency_config(**where)["Status"] != "READY" and time.monotonic() < until:
            time.sleep(0.05)
        assert aws.invoke(Qualifier="1")[1] == [1, "provisioned-concurrency"]
        assert functions.get_function_url_config(FunctionName="f")["AuthType"] == "AWS_IAM"


def test_functions_and_queued_events_survive_a_kill(tmp_path: Path) -> None:
    """I6: the 202 of an Event invoke is a commit; its retry happens after the restart under the same request id."""
    first = platforms.start(tmp_path)
    try:
        aws = Account(first, ACCOUNT)
        arn = aws.create(Environment={"Variables": {"NAME": "kept"}}, Publish=True)["FunctionArn"]
        permission = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
        aws.client("lambda").add_permission(FunctionName="f", **permission)
        response, _ = aws.invoke(event={"raise": "later"}, InvocationType="Event")
        request_id = response["ResponseMetadata"]["RequestId"]
        first.drain()
    finally:
        first.kill()
    with platforms.running(tmp_path) as second:
        aws = Account(second, ACCOUNT)
        assert aws.invoke()[1]["name"] == "kept"
        assert aws.invoke(Qualifier="1")[1]["version"] == "1"
        assert arn in aws.client("lambda").get_policy(FunctionName="f")["Policy"]
        second.advance(61)
        second.drain()
        found = aws.client("logs").filter_log_events(logGroupName="/aws/lambda/f", filterPattern=f'"{request_id}"')
        assert any(event["message"].startswith("START") for event in found["events"])
