"""What survives SIGKILL: functions, versions, permissions, and events that were acknowledged."""

from pathlib import Path

from tests import platform as platforms
from tests.services.lambda_.conftest import Account

ACCOUNT = "111122223333"


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
