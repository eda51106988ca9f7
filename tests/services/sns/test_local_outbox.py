"""Mail, SMS and mobile push end in the local outbox (S4-22), which API, CLI and console show.

AWS: SNS Developer Guide, "Email notifications", "Mobile text messaging", "Mobile push notifications".
"""

import json
import re
import subprocess
import sys
import urllib.request
from typing import Any
from urllib.error import HTTPError

import pytest

from tests.platform import RunningPlatform
from tests.services.sns.actions import Queue, refusal, subscribe, text
from tests.services.sns.signatures import fetched, verify


def outbox(platform: RunningPlatform, account: str) -> list[dict[str, Any]]:
    """The account's items, the oldest first."""
    items = platform.ask("/_undercast/outbox?limit=1000")["items"]
    return [item for item in items if item["account_id"] == account]


def test_mail_is_confirmed_by_its_link_and_then_sent(
    platform: RunningPlatform, account: str, sns: Any, topic: str
) -> None:
    """email: plain text with a link; email-json: the signed envelope."""
    for protocol in ("email", "email-json"):
        sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint="a@b.example")
    plain, in_json = outbox(platform, account)
    assert plain["subject"] == "AWS Notification - Subscription Confirmation"
    (link,) = re.findall(r"http://\S+", plain["body"])
    fetched(link)
    verify(json.loads(in_json["body"]))
    fetched(json.loads(in_json["body"])["SubscribeURL"])
    sns.publish(TopicArn=topic, Message="news", Subject="s", MessageAttributes={"a": text("b")})
    plain, in_json = outbox(platform, account)[2:]
    assert (plain["destination"], plain["subject"], plain["topic_arn"]) == ("a@b.example", "s", topic)
    assert plain["body"].startswith("news\n\n--\nIf you wish to stop receiving notifications")
    assert plain["attributes"] == {"a": {"Type": "String", "Value": "b"}}
    verify(json.loads(in_json["body"]))


def test_the_command_shows_the_newest(platform: RunningPlatform, account: str, sns: Any) -> None:
    """`undercast outbox`, and as JSON."""
    sns.publish(PhoneNumber="+15550100", Message=f"code {account}\nfor \x1byou\n")
    command = [sys.executable, "-m", "undercast", "outbox", "--data", str(platform.data)]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "sms to +15550100" in shown
    assert f"\n  code {account}\n  for \\x1byou\n" in shown
    told = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=60, check=True).stdout
    assert json.loads(told)[-1]["body"] == f"code {account}\nfor \x1byou\n"


def test_the_console_shows_it(platform: RunningPlatform, account: str, sns: Any) -> None:
    """A page of the platform, for its user's browser; not for pages of other sites."""
    sns.publish(PhoneNumber="+15550100", Message=f"<b>{account}</b>")
    asked = urllib.request.Request(f"{platform.url}/_undercast/console")
    with urllib.request.urlopen(asked, timeout=30) as answer:
        shown = answer.read().decode()
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert f"<td>sms<td>+15550100<td><td><pre>&lt;b&gt;{account}&lt;/b&gt;</pre>" in shown
    asked.add_header("Origin", "http://elsewhere.example")
    with pytest.raises(HTTPError, match="403"):
        urllib.request.urlopen(asked, timeout=30)


def test_sms_goes_to_numbers_that_have_not_opted_out(
    platform: RunningPlatform, account: str, sns: Any, topic: str
) -> None:
    """Publish with PhoneNumber and by subscription; STOP ends it, OptInPhoneNumber begins again."""
    sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint="+15550101")
    sns.publish(TopicArn=topic, MessageStructure="json", Message='{"default": "long", "sms": "short"}')
    sns.publish(PhoneNumber="+15550101", Message="code")
    assert [item["body"] for item in outbox(platform, account)] == ["short", "code"]
    number = {"phone_number": "+15550101", "account_id": account, "region": "us-east-1"}
    assert platform.ask("/_undercast/outbox/stop", number) == {"stopped": "+15550101"}
    assert sns.check_if_phone_number_is_opted_out(phoneNumber="+15550101")["isOptedOut"] is True
    assert sns.list_phone_numbers_opted_out()["phoneNumbers"] == ["+15550101"]
    sns.publish(PhoneNumber="+15550101", Message="unheard")
    assert len(outbox(platform, account)) == 2
    sns.opt_in_phone_number(phoneNumber="+15550101")
    sns.publish(PhoneNumber="+15550101", Message="heard")
    assert outbox(platform, account)[-1]["body"] == "heard"
    assert refusal(sns.publish, PhoneNumber="5550101", Message="x")[0] == "InvalidParameter"


def test_settings_of_sms(sns: Any) -> None:
    """What is kept is given back; delivery logs are refused by name."""
    sns.set_sms_attributes(attributes={"DefaultSMSType": "Transactional", "DefaultSenderID": "Uni"})
    shown = sns.get_sms_attributes()["attributes"]
    assert shown == {"MonthlySpendLimit": "1", "DefaultSMSType": "Transactional", "DefaultSenderID": "Uni"}
    assert refusal(sns.set_sms_attributes, attributes={"DefaultSMSType": "Loud"})[0] == "InvalidParameter"
    code, told = refusal(sns.set_sms_attributes, attributes={"UsageReportS3Bucket": "b"})
    assert code == "NotImplemented"
    assert "UsageReportS3Bucket" in told


def test_devices_get_push_notifications(platform: RunningPlatform, account: str, sns: Any, topic: str) -> None:
    """CreatePlatformApplication, CreatePlatformEndpoint, Publish with TargetArn and by subscription."""
    made = {"Name": "app", "Platform": "GCM", "Attributes": {"PlatformCredential": "secret"}}
    application = sns.create_platform_application(**made)["PlatformApplicationArn"]
    assert application == f"arn:aws:sns:us-east-1:{account}:app/GCM/app"
    attributes = sns.get_platform_application_attributes(PlatformApplicationArn=application)["Attributes"]
    assert attributes == {"Enabled": "true"}
    params = {"PlatformApplicationArn": application, "Token": "device-1"}
    device = sns.create_platform_endpoint(**params)["EndpointArn"]
    assert sns.create_platform_endpoint(**params)["EndpointArn"] == device
    assert refusal(sns.create_platform_endpoint, **params, CustomUserData="other")[0] == "InvalidParameter"
    (listed,) = sns.list_endpoints_by_platform_application(PlatformApplicationArn=application)["Endpoints"]
    assert listed == {"EndpointArn": device, "Attributes": {"Enabled": "true", "Token": "device-1"}}
    sns.publish(TargetArn=device, MessageStructure="json", Message='{"default": "d", "GCM": "{\\"data\\": 1}"}')
    sns.subscribe(TopicArn=topic, Protocol="application", Endpoint=device)
    sns.publish(TopicArn=topic, Message="to all")
    assert [item["body"] for item in outbox(platform, account)] == ['{"data": 1}', "to all"]
    sns.set_endpoint_attributes(EndpointArn=device, Attributes={"Enabled": "false"})
    assert refusal(sns.publish, TargetArn=device, Message="x") == ("EndpointDisabled", "Endpoint is disabled")
    sns.publish(TopicArn=topic, Message="unheard")
    assert len(outbox(platform, account)) == 2
    sns.delete_platform_application(PlatformApplicationArn=application)
    assert refusal(sns.get_endpoint_attributes, EndpointArn=device)[0] == "NotFound"
    assert sns.list_platform_applications()["PlatformApplications"] == []


def test_an_application_that_is_disabled_gets_nothing(
    platform: RunningPlatform, account: str, sns: Any, topic: str
) -> None:
    """Publish is refused with its own error; what a topic sends does not go out; then it is enabled again."""
    made = {"Name": "app", "Platform": "GCM", "Attributes": {"PlatformCredential": "secret"}}
    application = {"PlatformApplicationArn": sns.create_platform_application(**made)["PlatformApplicationArn"]}
    device = sns.create_platform_endpoint(**application, Token="device-1")["EndpointArn"]
    sns.subscribe(TopicArn=topic, Protocol="application", Endpoint=device)
    sns.set_platform_application_attributes(**application, Attributes={"Enabled": "False"})
    assert sns.get_platform_application_attributes(**application)["Attributes"] == {"Enabled": "false"}
    told = refusal(sns.publish, TargetArn=device, Message="x")
    assert told == ("PlatformApplicationDisabled", "Platform application is disabled")
    sns.publish(TopicArn=topic, Message="unheard")
    sns.set_platform_application_attributes(**application, Attributes={"Enabled": "true"})
    sns.publish(TargetArn=device, Message="heard")
    assert [item["body"] for item in outbox(platform, account)] == ["heard"]
    wrong = {"Enabled": "maybe"}
    assert refusal(sns.set_platform_application_attributes, **application, Attributes=wrong)[0] == "InvalidParameter"


def test_an_endpoint_that_is_disabled_is_found_by_its_token_and_stays_so(account: str, sns: Any) -> None:
    """Developer Guide, "Creating a platform endpoint": create gives its ARN, attributes show it, set enables it."""
    made = {"Name": "app", "Platform": "GCM", "Attributes": {"PlatformCredential": "secret"}}
    params = {"PlatformApplicationArn": sns.create_platform_application(**made)["PlatformApplicationArn"],
              "Token": "device-1"}  # fmt: skip
    device = sns.create_platform_endpoint(**params, CustomUserData="d")["EndpointArn"]
    sns.set_endpoint_attributes(EndpointArn=device, Attributes={"Enabled": "false"})
    assert sns.create_platform_endpoint(**params, CustomUserData="d")["EndpointArn"] == device
    assert sns.get_endpoint_attributes(EndpointArn=device)["Attributes"]["Enabled"] == "false"
    reason = f"Endpoint {device} already exists with the same Token, but different attributes."
    for other in ({"CustomUserData": "d", "Attributes": {"Enabled": "true"}}, {"CustomUserData": "e"}, {}):
        told = refusal(sns.create_platform_endpoint, **params, **other)
        assert told == ("InvalidParameter", f"Invalid parameter: Token Reason: {reason}")
    sns.set_endpoint_attributes(EndpointArn=device, Attributes={"Enabled": "true"})
    sns.publish(TargetArn=device, Message="heard")


def test_a_message_for_an_app_that_was_uninstalled_disables_its_endpoint(
    platform: RunningPlatform, account: str, sns: Any, topic: str, queue: Queue
) -> None:
    """DeliveryFailure is of direct publishes alone; a new token makes the endpoint work again."""
    subscribe(sns, topic, queue)
    events = {"EventEndpointUpdated": topic, "EventDeliveryFailure": topic}
    made = {"Name": "app", "Platform": "GCM", "Attributes": {"PlatformCredential": "secret", **events}}
    application = sns.create_platform_application(**made)["PlatformApplicationArn"]
    device = sns.create_platform_endpoint(PlatformApplicationArn=application, Token="device-1")["EndpointArn"]
    to_all = sns.create_topic(Name=f"{topic.rpartition(':')[2]}-all")["TopicArn"]
    sns.subscribe(TopicArn=to_all, Protocol="application", Endpoint=device)

    def told() -> dict[str, dict[str, Any]]:
        platform.drain()
        found = [json.loads(letter["Message"]) for _ in range(3) for letter in queue.letters(wait_s=0)]
        return {body.pop("EventType"): body for body in found}

    platform.ask("/_undercast/outbox/unregister", {"endpoint_arn": device})
    assert sns.get_endpoint_attributes(EndpointArn=device)["Attributes"]["Enabled"] == "true"
    sent = sns.publish(TargetArn=device, Message="unheard")
    events_of_it = told()
    assert events_of_it.keys() == {"EndpointUpdated", "DeliveryFailure"}
    failure = events_of_it["DeliveryFailure"]
    assert (failure["MessageId"], failure["EndpointArn"]) == (sent["MessageId"], device)
    assert (failure["FailureType"], failure["DeliveryAttempts"]) == ("InvalidPlatformToken", 1)
    assert refusal(sns.publish, TargetArn=device, Message="x") == ("EndpointDisabled", "Endpoint is disabled")
    sns.set_endpoint_attributes(EndpointArn=device, Attributes={"Enabled": "true"})
    assert told().keys() == {"EndpointUpdated"}
    sns.publish(TopicArn=to_all, Message="unheard")
    assert told().keys() == {"EndpointUpdated"}
    sns.set_endpoint_attributes(EndpointArn=device, Attributes={"Token": "device-2", "Enabled": "true"})
    sns.publish(TopicArn=to_all, Message="heard")
    assert [item["body"] for item in outbox(platform, account)] == ["heard"]
    with pytest.raises(HTTPError):
        platform.ask("/_undercast/outbox/unregister", {"endpoint_arn": "arn:none"})


def test_an_application_publishes_what_happens_to_its_endpoints(
    account: str, sns: Any, topic: str, queue: Queue
) -> None:
    """Developer Guide, "Mobile app events": created, updated, deleted; one that is there already is no event."""
    subscribe(sns, topic, queue)
    kinds = ("EndpointCreated", "EndpointUpdated", "EndpointDeleted")
    attributes = {"PlatformCredential": "secret", **{f"Event{kind}": topic for kind in kinds}}
    made = {"Name": "app", "Platform": "GCM", "Attributes": attributes}
    application = sns.create_platform_application(**made)["PlatformApplicationArn"]
    device = {"PlatformApplicationArn": application, "Token": "device-1"}
    arn = sns.create_platform_endpoint(**device)["EndpointArn"]
    assert sns.create_platform_endpoint(**device)["EndpointArn"] == arn
    sns.set_endpoint_attributes(EndpointArn=arn, Attributes={"CustomUserData": "d"})
    for _ in range(2):
        sns.delete_endpoint(EndpointArn=arn)
    letters: list[dict[str, Any]] = []
    for _ in range(6):
        if len(letters) < len(kinds):
            letters += queue.letters()
    told = {body["EventType"]: body for letter in letters for body in [json.loads(letter["Message"])]}
    assert told.keys() == set(kinds)
    for body in told.values():
        assert (body["EndpointArn"], body["Resource"], body["Service"]) == (arn, application, "SNS")
    assert {letter["Subject"] for letter in letters} == {f"{kind} event for app app (GCM)" for kind in kinds}
    assert queue.messages(wait_s=0) == []


@pytest.mark.parametrize("value", ["nonsense", "elsewhere", "fifo"])
def test_an_application_publishes_to_its_own_topics_only(account: str, sns: Any, value: str) -> None:
    """Neither to what is no topic, nor to another account's, nor to a FIFO topic."""
    owner = "22" + account[2:] if value == "elsewhere" else account
    name = "t.fifo" if value == "fifo" else "t"
    arn = "nonsense" if value == "nonsense" else f"arn:aws:sns:us-east-1:{owner}:{name}"
    attributes = {"PlatformCredential": "secret", "EventEndpointCreated": arn}
    made = {"Name": "app", "Platform": "GCM", "Attributes": attributes}
    assert refusal(sns.create_platform_application, **made)[0] == "InvalidParameter"


def test_a_number_is_verified_by_the_password_in_the_outbox(platform: RunningPlatform, account: str, sns: Any) -> None:
    """The SMS sandbox's operations; the account itself is not in it."""
    number = {"PhoneNumber": "+15550102"}
    assert sns.get_sms_sandbox_account_status()["IsInSandbox"] is False
    sns.create_sms_sandbox_phone_number(**number, LanguageCode="de-DE")
    (told,) = outbox(platform, account)
    password = told["body"].rpartition(" ")[2]
    wrong = f"{(int(password) + 1) % 1_000_000:06d}"
    assert refusal(sns.verify_sms_sandbox_phone_number, **number, OneTimePassword=wrong)[0] == "VerificationException"
    assert sns.list_sms_sandbox_phone_numbers()["PhoneNumbers"] == [{**number, "Status": "Pending"}]
    sns.verify_sms_sandbox_phone_number(**number, OneTimePassword=password)
    assert sns.list_sms_sandbox_phone_numbers(MaxResults=1)["PhoneNumbers"] == [{**number, "Status": "Verified"}]
    sns.delete_sms_sandbox_phone_number(**number)
    assert sns.list_sms_sandbox_phone_numbers()["PhoneNumbers"] == []
    assert refusal(sns.delete_sms_sandbox_phone_number, **number)[0] == "ResourceNotFound"
