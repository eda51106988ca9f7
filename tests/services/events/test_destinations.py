"""API destinations: connections with their secrets, requests, retries on the platform's clock.

AWS: EventBridge User Guide, "API destinations as targets in Amazon EventBridge".
"""

import json
import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.e2e.functions import create_function
from tests.platform import RunningPlatform
from tests.services.events.actions import allow, first, put, queue_of, trusting
from tests.services.sns.actions import Queue, refusal
from tests.services.sns.web import Endpoint, listening


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """A server of somebody else."""
    with listening() as made:
        yield made


class Bridge:
    """One account's rule with an API destination."""

    def __init__(self, platform: RunningPlatform, endpoint: Endpoint) -> None:
        self.account = f"{random.randrange(10**11, 10**12)}"
        self.platform = platform
        self.url = endpoint.url
        self.events = platform.client("events", account=self.account)
        self.role = trusting(
            platform.client("iam", account=self.account), "invoker", allow("events:InvokeApiDestination", "*")
        )
        self.events.put_rule(Name="r", EventPattern='{"source": ["app"]}')

    def connect(self, kind: str, **auth: Any) -> Any:
        """A connection."""
        return self.events.create_connection(Name="c", AuthorizationType=kind, AuthParameters=auth)

    def target(self, connection: str, path: str = "/hook", method: str = "POST", **params: Any) -> str:
        """The ARN of a destination that the rule has as its target."""
        rate = {"InvocationRateLimitPerSecond": params.pop("rate")} if "rate" in params else {}
        arn: str = self.events.create_api_destination(
            Name="d", ConnectionArn=connection, InvocationEndpoint=self.url + path, HttpMethod=method, **rate
        )["ApiDestinationArn"]
        answer = self.events.put_targets(Rule="r", Targets=[{"Id": "t", "Arn": arn, "RoleArn": self.role, **params}])
        assert answer["FailedEntryCount"] == 0
        return arn


def test_a_request_has_what_target_and_connection_say(platform: RunningPlatform, endpoint: Endpoint) -> None:
    """Path, query and headers of the target, with values of the event; those of the connection count more."""
    bridge = Bridge(platform, endpoint)
    own = {
        "HeaderParameters": [{"Key": "X-Both", "Value": "connection", "IsValueSecret": True}],
        "QueryStringParameters": [{"Key": "q", "Value": "1"}],
        "BodyParameters": [{"Key": "added", "Value": "x"}],
    }
    made = bridge.connect("BASIC", BasicAuthParameters={"Username": "u", "Password": "p"}, InvocationHttpParameters=own)
    assert made["ConnectionState"] == "AUTHORIZED"
    http = {
        "PathParameterValues": ["$.detail.id"],
        "HeaderParameters": {"X-Both": "target", "X-Source": "$.source"},
        "QueryStringParameters": {"n": "$.detail.n"},
    }
    bridge.target(made["ConnectionArn"], "/items/*/x?a=b", "PUT", HttpParameters=http, InputPath="$.detail")
    put(bridge.events, {"id": "a/b", "n": 3})
    came = endpoint.next()
    assert (came.method, came.path) == ("PUT", "/items/a%2Fb/x?a=b&n=3&q=1")
    assert json.loads(came.body) == {"id": "a/b", "n": 3, "added": "x"}
    assert came.headers["authorization"] == "Basic dTpw"
    assert (came.headers["x-both"], came.headers["x-source"]) == ("connection", "app")
    assert came.headers["user-agent"] == "Amazon/EventBridge/ApiDestinations"
    assert came.headers["content-type"] == "application/json; charset=utf-8"
    shown = bridge.events.describe_connection(Name="c")
    assert shown["AuthParameters"]["BasicAuthParameters"] == {"Username": "u"}
    assert "Value" not in shown["AuthParameters"]["InvocationHttpParameters"]["HeaderParameters"][0]
    secrets = bridge.platform.client("secretsmanager", account=bridge.account)
    secret = json.loads(secrets.get_secret_value(SecretId=shown["SecretArn"])["SecretString"])
    assert secret["BasicAuthParameters"] == {"Username": "u", "Password": "p"}


def test_oauth_asks_for_a_token_and_renews_it(platform: RunningPlatform, endpoint: Endpoint) -> None:
    """The token is kept; 401 asks for another one."""
    bridge = Bridge(platform, endpoint)
    endpoint.texts["/token"] = json.dumps({"access_token": "T", "expires_in": 3600})
    oauth = {
        "ClientParameters": {"ClientID": "id", "ClientSecret": "secret"},
        "AuthorizationEndpoint": endpoint.url + "/token",
        "HttpMethod": "POST",
        "OAuthHttpParameters": {"BodyParameters": [{"Key": "scope", "Value": "s"}]},
    }
    made = bridge.connect("OAUTH_CLIENT_CREDENTIALS", OAuthParameters=oauth)
    bridge.target(made["ConnectionArn"])
    put(bridge.events, {"n": 1})
    asked = endpoint.next()
    assert parse_qs(asked.body) == {
        "grant_type": ["client_credentials"], "client_id": ["id"], "client_secret": ["secret"], "scope": ["s"],
    }  # fmt: skip
    assert endpoint.next().headers["authorization"] == "Bearer T"
    endpoint.statuses.append(401)
    put(bridge.events, {"n": 2})
    assert [endpoint.next().path for _ in range(3)] == ["/hook", "/token", "/hook"]


def test_failures_are_retried_as_the_target_says(clocked: RunningPlatform, endpoint: Endpoint) -> None:
    """5xx and 429 again, by the RetryPolicy; then, or at once for 400, the dead-letter queue."""
    bridge = Bridge(clocked, endpoint)
    dead: Queue = queue_of(clocked, bridge.account)
    key = bridge.connect("API_KEY", ApiKeyAuthParameters={"ApiKeyName": "X-Key", "ApiKeyValue": "k"})
    policy: dict[str, Any] = {"RetryPolicy": {"MaximumRetryAttempts": 2}, "DeadLetterConfig": {"Arn": dead.arn}}
    arn = bridge.target(key["ConnectionArn"], **policy)
    endpoint.statuses += [500, 429, 503]
    sent = put(bridge.events, {"n": 1})
    for _ in range(3):
        assert endpoint.next().headers["x-key"] == "k"
        clocked.drain()
        clocked.advance(60)
    (message,) = dead.messages()
    told = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert json.loads(message["Body"])["id"] == sent
    assert (told["RETRY_ATTEMPTS"], told["EXHAUSTED_RETRY_CONDITION"]) == ("2", "MaximumRetryAttempts")
    assert (told["TARGET_ARN"], told["ERROR_MESSAGE"]) == (arn, "the endpoint answered 503")
    endpoint.statuses.append(400)
    put(bridge.events, {"n": 2})
    (message,) = dead.messages()
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "ERROR_FROM_TARGET"
    bridge.events.deauthorize_connection(Name="c")
    assert bridge.events.describe_api_destination(Name="d")["ApiDestinationState"] == "INACTIVE"
    put(bridge.events, {"n": 3})
    (message,) = dead.messages()
    assert message["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"] == "The connection is not authorized."


def test_the_platforms_own_endpoints_are_not_tried_again(platform: RunningPlatform, endpoint: Endpoint) -> None:
    """A path of the platform itself that the target's parameters make: to the dead-letter queue at once."""
    bridge = Bridge(platform, endpoint)
    dead = queue_of(platform, bridge.account)
    key = bridge.connect("API_KEY", ApiKeyAuthParameters={"ApiKeyName": "X-Key", "ApiKeyValue": "k"})
    path = {"PathParameterValues": ["_undercast"]}
    bridge.target(key["ConnectionArn"], "/*/status", HttpParameters=path, DeadLetterConfig={"Arn": dead.arn})
    put(bridge.events, {"n": 1})
    (message,) = first(dead)
    told = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert (told["ERROR_CODE"], "RETRY_ATTEMPTS" in told) == ("CONNECTION_FAILURE", False)
    assert told["ERROR_MESSAGE"] == "the platform's own endpoints are out of reach"


def test_invocations_keep_to_the_rate(clocked: RunningPlatform, endpoint: Endpoint) -> None:
    """InvocationRateLimitPerSecond: what is more waits on the platform's clock."""
    bridge = Bridge(clocked, endpoint)
    key = bridge.connect("API_KEY", ApiKeyAuthParameters={"ApiKeyName": "X-Key", "ApiKeyValue": "k"})
    bridge.target(key["ConnectionArn"], rate=1)
    entry = {"Source": "app", "DetailType": "d", "Detail": "{}"}
    for _ in range(3):
        bridge.events.put_events(Entries=[entry] * 10)
    endpoint.next()
    clocked.drain()  # without a rate, everything would be here now
    assert endpoint.came.qsize() < 29  # half a minute's worth
    clocked.advance(30)
    for _ in range(29):
        endpoint.next()


def test_another_accounts_connection_is_not_there(platform: RunningPlatform, endpoint: Endpoint) -> None:
    """Its secret is that account's. AWS: API Reference, CreateApiDestination (ResourceNotFoundException)."""
    theirs, bridge = Bridge(platform, endpoint), Bridge(platform, endpoint)
    secret = {"ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "theirs"}}
    connection = theirs.connect("API_KEY", **secret)["ConnectionArn"]
    assert refusal(bridge.target, connection=connection)[0] == "ResourceNotFoundException"
    bridge.target(bridge.connect("API_KEY", **secret)["ConnectionArn"])
    change = {"Name": "d", "ConnectionArn": connection}
    assert refusal(bridge.events.update_api_destination, **change)[0] == "ResourceNotFoundException"
    elsewhere = platform.client("events", account=bridge.account, region="eu-west-1")
    made = {"InvocationEndpoint": endpoint.url, "HttpMethod": "POST"}
    own = bridge.events.describe_connection(Name="c")["ConnectionArn"]
    assert refusal(elsewhere.create_api_destination, Name="d", ConnectionArn=own, **made)[0] == (
        "ResourceNotFoundException"
    )


def test_another_accounts_destination_is_no_target(platform: RunningPlatform, endpoint: Endpoint) -> None:
    """AWS: User Guide, "Sending events to an AWS service in another account": API destinations are not among them."""
    theirs, bridge = Bridge(platform, endpoint), Bridge(platform, endpoint)
    key = theirs.connect("API_KEY", ApiKeyAuthParameters={"ApiKeyName": "X-Key", "ApiKeyValue": "theirs"})
    arn = theirs.target(key["ConnectionArn"])
    dead = queue_of(platform, bridge.account)
    target = {"Id": "t", "Arn": arn, "RoleArn": bridge.role, "DeadLetterConfig": {"Arn": dead.arn}}
    bridge.events.put_targets(Rule="r", Targets=[target])
    put(bridge.events, {"n": 1})
    (message,) = first(dead)
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_RESOURCE"
    assert endpoint.is_quiet()


def test_what_is_made_again_under_a_name_is_another_one(platform: RunningPlatform, endpoint: Endpoint) -> None:
    """The ids in the ARNs differ: a destination does not send the secret of a connection that came later."""
    bridge = Bridge(platform, endpoint)
    dead = queue_of(platform, bridge.account)
    key = {"ApiKeyName": "X-Key", "ApiKeyValue": "k"}
    target: dict[str, Any] = {"DeadLetterConfig": {"Arn": dead.arn}}
    bridge.target(bridge.connect("API_KEY", ApiKeyAuthParameters=key)["ConnectionArn"], **target)
    bridge.events.delete_connection(Name="c")
    later = bridge.connect("API_KEY", ApiKeyAuthParameters=key)["ConnectionArn"]
    assert bridge.events.describe_api_destination(Name="d")["ApiDestinationState"] == "INACTIVE"
    put(bridge.events, {"n": 1})
    (message,) = first(dead)
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_RESOURCE"
    bridge.events.delete_api_destination(Name="d")
    bridge.events.create_api_destination(
        Name="d", ConnectionArn=later, InvocationEndpoint=endpoint.url, HttpMethod="POST"
    )
    put(bridge.events, {"n": 2})
    (message,) = first(dead)
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_RESOURCE"
    assert endpoint.is_quiet()


def test_a_refused_update_of_a_connection_changes_nothing(platform: RunningPlatform, endpoint: Endpoint) -> None:
    """Its secret cannot be made with a key that is not there: the one before is still sent. The new one replaces it."""
    bridge = Bridge(platform, endpoint)
    key = {"ApiKeyName": "X-Key", "ApiKeyValue": "1"}
    bridge.target(bridge.connect("API_KEY", ApiKeyAuthParameters=key)["ConnectionArn"])
    before = bridge.events.describe_connection(Name="c")
    change = {"Name": "c", "AuthParameters": {"ApiKeyAuthParameters": {**key, "ApiKeyValue": "2"}}}
    code, _ = refusal(bridge.events.update_connection, **change, KmsKeyIdentifier="alias/none")
    assert code != "InternalFailure"
    after = bridge.events.describe_connection(Name="c")
    assert {**after, "ResponseMetadata": {}} == {**before, "ResponseMetadata": {}}
    put(bridge.events, {"n": 1})
    assert endpoint.next().headers["x-key"] == "1"
    bridge.events.update_connection(**change)
    put(bridge.events, {"n": 2})
    assert endpoint.next().headers["x-key"] == "2"
    secrets = platform.client("secretsmanager", account=bridge.account).list_secrets()["SecretList"]
    assert [one["ARN"] for one in secrets] == [bridge.events.describe_connection(Name="c")["SecretArn"]]


def test_connections_and_destinations_are_kept(platform: RunningPlatform, endpoint: Endpoint) -> None:
    """Made once, listed, changed, deleted with their secret."""
    bridge = Bridge(platform, endpoint)
    events = bridge.events
    wrong = {"Name": "x", "AuthorizationType": "BASIC", "AuthParameters": {}}
    assert refusal(events.create_connection, **wrong)[1] == (
        "Parameter(s) BasicAuthParameters must be specified for Authorization Type BASIC."
    )
    arn = bridge.connect("API_KEY", ApiKeyAuthParameters={"ApiKeyName": "K", "ApiKeyValue": "v"})["ConnectionArn"]
    again = {"ApiKeyName": "K", "ApiKeyValue": "w"}
    assert refusal(bridge.connect, kind="API_KEY", ApiKeyAuthParameters=again)[0] == "ResourceAlreadyExistsException"
    for url in (platform.url + "/_undercast/status", "ftp://example.com"):
        params = {"Name": "x", "ConnectionArn": arn, "InvocationEndpoint": url, "HttpMethod": "POST"}
        assert refusal(events.create_api_destination, **params)[1] == "Parameter InvocationEndpoint is not valid."
    destination = bridge.target(arn)
    assert [one["Name"] for one in events.list_connections()["Connections"]] == ["c"]
    events.update_api_destination(Name="d", InvocationEndpoint=endpoint.url + "/other")
    (shown,) = events.list_api_destinations(ConnectionArn=arn)["ApiDestinations"]
    assert (shown["ApiDestinationArn"], shown["ApiDestinationState"]) == (destination, "ACTIVE")
    events.update_connection(Name="c", AuthParameters={"ApiKeyAuthParameters": again})
    put(events, {})
    came = endpoint.next()
    assert (came.path, came.headers["k"]) == ("/other", "w")
    secret = events.describe_connection(Name="c")["SecretArn"]
    events.delete_connection(Name="c")
    code, _ = refusal(platform.client("secretsmanager", account=bridge.account).get_secret_value, SecretId=secret)
    assert code == "ResourceNotFoundException"
    events.delete_api_destination(Name="d")
    assert refusal(events.describe_api_destination, Name="d")[0] == "ResourceNotFoundException"


CALL = """
import boto3

def handler(event, context):
    return getattr(boto3.client("events"), event["call"])(**event["params"])["ApiDestinationArn"]
"""


def test_a_function_cannot_make_eventbridge_knock_at_the_machines_own_ports(
    platform: RunningPlatform, endpoint: Endpoint
) -> None:
    """A destination that a function made, or changed, reaches what the function itself may reach."""
    bridge = Bridge(platform, endpoint)
    dead = queue_of(platform, bridge.account)
    key = bridge.connect("API_KEY", ApiKeyAuthParameters={"ApiKeyName": "X-Key", "ApiKeyValue": "k"})
    create_function(platform, bridge.account, "call", CALL, Timeout=30)
    retries: dict[str, Any] = {"RetryPolicy": {"MaximumRetryAttempts": 0}, "DeadLetterConfig": {"Arn": dead.arn}}
    bridge.target(key["ConnectionArn"], **retries)
    url = endpoint.url.replace("127.0.0.1", "host.undercast.internal") + "/x"
    change = {"call": "update_api_destination", "params": {"Name": "d", "InvocationEndpoint": url}}
    answer = platform.client("lambda", account=bridge.account).invoke(FunctionName="call", Payload=json.dumps(change))
    assert "FunctionError" not in answer, answer["Payload"].read()
    put(bridge.events, {"n": 1})
    (message,) = first(dead)
    told = message["MessageAttributes"]
    assert told["ERROR_CODE"]["StringValue"] == "CONNECTION_FAILURE"
    assert "functions do not reach port" in told["ERROR_MESSAGE"]["StringValue"]
    assert endpoint.is_quiet()
