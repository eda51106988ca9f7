"""HTTP endpoints: confirmation, signed notifications, retries on the platform clock, dead letters (S4-21, S4-22).

AWS: SNS Developer Guide, "Fanout Amazon SNS notifications to HTTPS endpoints", "Amazon SNS message delivery retries".
"""

import json
import random
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests import platform as platforms
from tests.platform import RunningPlatform
from tests.services.lambda_.queues import until
from tests.services.sns.actions import Queue, make_queue, refusal
from tests.services.sns.signatures import fetched, verify
from tests.services.sns.web import Endpoint, listening


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """A subscriber's server."""
    with listening() as made:
        yield made


@pytest.fixture(scope="module")
def clocked() -> Iterator[RunningPlatform]:
    """A platform whose clock these tests move."""
    with platforms.running() as running:
        yield running


def confirmed(sns: Any, topic: str, endpoint: Endpoint, url: str = "", **attributes: str) -> str:
    """A subscription of the endpoint that it has confirmed by the link."""
    arn = sns.subscribe(
        TopicArn=topic, Protocol="http", Endpoint=url or endpoint.url + "/hook?a=b", Attributes=attributes,
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]  # fmt: skip
    fetched(endpoint.next().letter["SubscribeURL"])
    return str(arn)


def test_an_endpoint_confirms_and_then_gets_signed_notifications(sns: Any, topic: str, endpoint: Endpoint) -> None:
    """SubscriptionConfirmation with SubscribeURL; headers x-amz-sns-*; text/plain; the signatures are right."""
    url = endpoint.url + "/hook?a=b"
    assert sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=url)["SubscriptionArn"] == "pending confirmation"
    asked = endpoint.next()
    assert asked.path == "/hook?a=b"
    assert asked.headers["x-amz-sns-message-type"] == "SubscriptionConfirmation"
    assert "x-amz-sns-subscription-arn" not in asked.headers
    letter = asked.letter
    assert list(letter) == ["Type", "MessageId", "Token", "TopicArn", "Message", "SubscribeURL", "Timestamp",
                            "SignatureVersion", "Signature", "SigningCertURL"]  # fmt: skip
    verify(letter)
    (listed,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert listed["SubscriptionArn"] == "PendingConfirmation"
    answer = fetched(letter["SubscribeURL"]).decode()
    (listed,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    arn = listed["SubscriptionArn"]
    assert f"<SubscriptionArn>{arn}</SubscriptionArn>" in answer
    shown = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    assert (shown["PendingConfirmation"], shown["ConfirmationWasAuthenticated"]) == ("false", "false")
    sent = sns.publish(TopicArn=topic, Message="hello", Subject="s")
    post = endpoint.next()
    assert post.headers["content-type"] == "text/plain; charset=UTF-8"
    assert {name: value for name, value in post.headers.items() if name.startswith("x-amz-sns-")} == {
        "x-amz-sns-message-type": "Notification",
        "x-amz-sns-message-id": sent["MessageId"],
        "x-amz-sns-topic-arn": topic,
        "x-amz-sns-subscription-arn": arn,
    }
    assert (post.letter["Message"], post.letter["Subject"]) == ("hello", "s")
    verify(post.letter)
    fetched(post.letter["UnsubscribeURL"])
    last = endpoint.next()
    assert last.headers["x-amz-sns-message-type"] == last.letter["Type"] == "UnsubscribeConfirmation"
    verify(last.letter)
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


def test_only_these_two_requests_need_no_signature(platform: RunningPlatform, sns: Any, topic: str) -> None:
    """All others are answered with MissingAuthenticationToken; a wrong token confirms nothing."""
    for query in (f"Action=Publish&TopicArn={topic}&Message=x", "Action=ListTopics"):
        with pytest.raises(urllib.error.HTTPError) as raised:
            fetched(f"{platform.url}/?{query}&Version=2010-03-31")
        assert raised.value.code == 403
        assert b"MissingAuthenticationToken" in raised.value.read()
    with pytest.raises(urllib.error.HTTPError) as raised:
        fetched(f"{platform.url}/?Action=ConfirmSubscription&TopicArn={topic}&Token=0&Version=2010-03-31")
    assert raised.value.code == 400
    with pytest.raises(urllib.error.HTTPError) as raised:
        fetched(f"{platform.url}/SimpleNotificationService-0.pem")
    assert raised.value.code == 404


def test_authenticate_on_unsubscribe_closes_the_link(sns: Any, topic: str, endpoint: Endpoint) -> None:
    """A subscription confirmed so is ended only by a request that is signed."""
    arn = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint.url, ReturnSubscriptionArn=True)[
        "SubscriptionArn"
    ]
    token = endpoint.next().letter["Token"]
    sns.confirm_subscription(TopicArn=topic, Token=token, AuthenticateOnUnsubscribe="true")
    sns.publish(TopicArn=topic, Message="x")
    with pytest.raises(urllib.error.HTTPError) as raised:
        fetched(endpoint.next().letter["UnsubscribeURL"])
    assert raised.value.code == 403
    sns.unsubscribe(SubscriptionArn=arn)
    assert sns.list_subscriptions()["Subscriptions"] == []


def test_raw_delivery_posts_the_text(sns: Any, topic: str, endpoint: Endpoint) -> None:
    """x-amz-sns-rawdelivery, and the content type of the request policy."""
    policy = json.dumps({"requestPolicy": {"headerContentType": "application/json"}})
    confirmed(sns, topic, endpoint, RawMessageDelivery="true", DeliveryPolicy=policy)
    sns.publish(TopicArn=topic, Message='{"a": 1}')
    post = endpoint.next()
    assert (post.body, post.headers["x-amz-sns-rawdelivery"]) == ('{"a": 1}', "true")
    assert post.headers["content-type"] == "application/json"


def test_user_and_password_of_the_url_answer_a_basic_challenge(sns: Any, topic: str, endpoint: Endpoint) -> None:
    """401 first, then the same request with Authorization."""
    endpoint.asks_for_login = True
    url = endpoint.url.replace("http://", "http://user:pass%21@")
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=url)
    assert "authorization" not in endpoint.next().headers
    assert endpoint.next().headers["authorization"] == "Basic dXNlcjpwYXNzIQ=="


def test_a_trace_names_a_subscription_that_filters_without_the_password_of_its_url(
    platform: RunningPlatform, sns: Any, topic: str, endpoint: Endpoint
) -> None:
    """Traces are kept, printed and passed on: what has no ARN of its own is named by that of its subscription."""
    url = endpoint.url.replace("http://", "http://user:secret@")
    arn = confirmed(sns, topic, endpoint, url, FilterPolicy='{"kind": ["good"]}')
    asked = sns.publish(TopicArn=topic, Message="x")["ResponseMetadata"]["RequestId"]

    def told() -> list[str]:
        nodes = platform.ask(f"/_undercast/trace/{asked}")["nodes"]
        return [node["label"] for node in nodes if node["kind"] == "filtered"]

    until(lambda: bool(told()))
    assert told() == [f"filtered out by 1 of 1 subscriptions: {arn}"]


def test_failures_are_retried_by_the_policy_and_then_dead(clocked: RunningPlatform, endpoint: Endpoint) -> None:
    """Immediate, pre-backoff, backoff and post-backoff on the platform clock; then RedrivePolicy."""
    account = f"{random.randrange(10**11, 10**12)}"
    sns, dead = clocked.client("sns", account=account), make_queue(clocked, account)
    topic = sns.create_topic(Name="t")["TopicArn"]
    retries = {"minDelayTarget": 10, "maxDelayTarget": 100, "numRetries": 6, "numNoDelayRetries": 1,
               "numMinDelayRetries": 1, "numMaxDelayRetries": 1, "backoffFunction": "linear"}  # fmt: skip
    confirmed(
        sns, topic, endpoint, DeliveryPolicy=json.dumps({"healthyRetryPolicy": retries}),
        RedrivePolicy=json.dumps({"deadLetterTargetArn": dead.arn}),
    )  # fmt: skip
    endpoint.statuses += [500] * 7
    sent = sns.publish(TopicArn=topic, Message="x")["MessageId"]
    assert [endpoint.next().letter["MessageId"] for _ in range(2)] == [sent] * 2  # at once, and its immediate retry
    for pause in (10, 10, 55, 100, 100):
        clocked.drain()
        clocked.advance(pause - 3)
        clocked.drain()
        assert endpoint.is_quiet()
        assert dead.messages(0) == []
        clocked.advance(3)
        assert endpoint.next().letter["MessageId"] == sent
    (letter,) = dead.letters()
    assert (letter["MessageId"], letter["Message"]) == (sent, "x")
    clocked.drain()
    assert endpoint.is_quiet()


def test_the_default_is_three_retries_20_seconds_apart(clocked: RunningPlatform, endpoint: Endpoint) -> None:
    """AWS: "up to three retries with a delay between failed attempts set at 20 seconds"; 429 counts as a failure."""
    sns = clocked.client("sns", account=f"{random.randrange(10**11, 10**12)}")
    topic = sns.create_topic(Name="t")["TopicArn"]
    confirmed(sns, topic, endpoint)
    endpoint.statuses += [503, 429, 500, 500]
    sns.publish(TopicArn=topic, Message="x")
    endpoint.next()
    for _ in range(3):
        clocked.drain()
        clocked.advance(20)
        endpoint.next()
    clocked.drain()
    clocked.advance(3600)
    clocked.drain()
    assert endpoint.is_quiet()


@pytest.mark.parametrize("status", [404, 302])
def test_a_refusal_is_not_retried_and_no_redirect_followed(
    platform: RunningPlatform, account: str, sns: Any, topic: str, endpoint: Endpoint, queue: Queue, status: int
) -> None:
    """A client error goes to the dead-letter queue at once."""
    confirmed(sns, topic, endpoint, RedrivePolicy=json.dumps({"deadLetterTargetArn": queue.arn}))
    endpoint.statuses.append(status)
    sns.publish(TopicArn=topic, Message="x")
    assert endpoint.next().path == "/hook?a=b"
    assert [letter["Message"] for letter in queue.letters()] == ["x"]
    platform.drain()
    assert endpoint.is_quiet()


def test_a_throttle_policy_spaces_deliveries(clocked: RunningPlatform, endpoint: Endpoint) -> None:
    """maxReceivesPerSecond, on the platform clock."""
    sns = clocked.client("sns", account=f"{random.randrange(10**11, 10**12)}")
    topic = sns.create_topic(Name="t")["TopicArn"]
    policy = {"throttlePolicy": {"maxReceivesPerSecond": 1}, "requestPolicy": {"headerContentType": "text/plain"}}
    confirmed(sns, topic, endpoint, DeliveryPolicy=json.dumps(policy), RawMessageDelivery="true")
    clocked.advance(5)
    entries = [{"Id": str(number), "Message": str(number)} for number in range(10)]
    sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    assert endpoint.next().body == "0"
    clocked.drain()
    assert endpoint.is_quiet()
    clocked.advance(60)
    assert sorted(endpoint.next().body for _ in range(9)) == [str(number) for number in range(1, 10)]


def test_the_platforms_own_endpoints_are_out_of_reach(platform: RunningPlatform, sns: Any, topic: str) -> None:
    """Nothing that SNS sends may go to /_undercast/."""
    for path in ("/_undercast/reset", "/_localstack/init"):
        params = {"TopicArn": topic, "Protocol": "http", "Endpoint": platform.url + path}
        assert refusal(sns.subscribe, **params)[0] == "InvalidParameter"
