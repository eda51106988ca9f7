"""Function URLs over HTTP, with functions that really run."""

import base64
import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.machine import lacking
from tests.services.lambda_.conftest import Account, package
from tests.services.measured import measured

WEB = """
import base64
def handler(event, context):
    how = (event.get("queryStringParameters") or {}).get("how")
    if how == "raise":
        raise ValueError("no")
    if how == "text":
        return "plain"
    if how == "object":
        return {"a": 1}
    if how == "bad":
        return {"statusCode": "nope", "body": ""}
    if how == "made":
        return {"statusCode": 201, "headers": {"X-Made": "yes", "Content-Type": "text/plain"},
                "cookies": ["a=1", "b=2; Path=/"], "body": base64.b64encode(b"\\x00\\x01").decode(),
                "isBase64Encoded": True}
    return event
"""
CODE = {"ZipFile": package(app=WEB)}


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first value of a header."""
        return next((value for key, value in self.headers if key.lower() == name), None)


def send(
    aws: Account,
    url: str,
    target: str = "/",
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """A request to a URL, at the platform's own address and the URL's host name."""
    where = urlsplit(aws.platform.url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port or 0, timeout=30)
    try:
        connection.request(method, target, body, {"Host": urlsplit(url).netloc, **(headers or {})})
        answer = connection.getresponse()
        return Answer(answer.status, answer.getheaders(), answer.read())
    finally:
        connection.close()


def public(aws: Account, **config: Any) -> str:
    """A function with a URL that everybody may use."""
    functions = aws.client("lambda")
    aws.create(Code=CODE)
    url = functions.create_function_url_config(FunctionName="f", AuthType="NONE", **config)["FunctionUrl"]
    allow_everybody(aws)
    return str(url)


def allow_everybody(aws: Account) -> None:
    """Both statements of a public URL."""
    functions = aws.client("lambda")
    functions.add_permission(
        FunctionName="f",
        StatementId="url",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
    )
    functions.add_permission(
        FunctionName="f",
        StatementId="invoke",
        Action="lambda:InvokeFunction",
        Principal="*",
        InvokedViaFunctionUrl=True,
    )


def test_event_has_format_2(aws: Account) -> None:
    """Payload format version 2.0: path, query, headers, cookies, body, requestContext."""
    url = public(aws)
    headers = {"Content-Type": "application/json", "Cookie": "a=1; b=2", "X-Many": "1"}
    answer = send(aws, url, "/a%20b/c?x=1&x=2&y=%20z", method="POST", body=b'{"k": "v"}', headers=headers)
    event = json.loads(answer.body)
    assert answer.header("content-type") == "application/json"
    assert (event["version"], event["routeKey"], event["rawPath"]) == ("2.0", "$default", "/a%20b/c")
    assert (event["rawQueryString"], event["queryStringParameters"]) == ("x=1&x=2&y=%20z", {"x": "1,2", "y": " z"})
    assert (event["cookies"], event["body"], event["isBase64Encoded"]) == (["a=1", "b=2"], '{"k": "v"}', False)
    assert (event["headers"]["x-many"], event["headers"]["x-forwarded-for"]) == ("1", "127.0.0.1")
    context = event["requestContext"]
    url_id = urlsplit(url).netloc.partition(".")[0]
    assert (context["accountId"], context["apiId"], context["domainPrefix"]) == ("anonymous", url_id, url_id)
    assert (context["http"]["method"], context["http"]["sourceIp"]) == ("POST", "127.0.0.1")
    assert context["requestId"] == answer.header("x-amzn-requestid")
    binary = json.loads(send(aws, url, method="POST", body=b"\xff\x00").body)
    assert (base64.b64decode(binary["body"]), binary["isBase64Encoded"]) == (b"\xff\x00", True)


def test_response_is_taken_or_inferred(aws: Account) -> None:
    """statusCode makes an object the response; of anything else it is inferred; what is malformed is a 502."""
    url = public(aws)
    made = send(aws, url, "/?how=made")
    assert (made.status, made.body, made.header("x-made")) == (201, b"\x00\x01", "yes")
    assert [value for name, value in made.headers if name.lower() == "set-cookie"] == ["a=1", "b=2; Path=/"]
    assert made.header("content-type") == "text/plain"
    text = send(aws, url, "/?how=text")
    assert (text.status, text.body, text.header("content-type")) == (200, b"plain", "application/json")
    assert json.loads(send(aws, url, "/?how=object").body) == {"a": 1}
    for how in ("raise", "bad"):
        broken = send(aws, url, f"/?how={how}")
        assert (broken.status, broken.body) == (502, b"Internal Server Error")


def assert_forbidden(answer: Answer) -> None:
    """AWS's 403: where its reasons are explained, the error's name in a header, and an id to ask about."""
    message = json.loads(answer.body)["Message"]
    assert (answer.status, answer.header("x-amzn-errortype")) == (403, "AccessDeniedException")
    assert message.startswith("Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.")
    assert message.endswith("/lambda/latest/dg/urls-auth.html")
    assert answer.header("x-amzn-requestid")


def test_public_url_needs_both_permissions(aws: Account) -> None:
    """Since October 2025 lambda:InvokeFunctionUrl and lambda:InvokeFunction; else 403 Forbidden."""
    functions = aws.client("lambda")
    aws.create(Code=CODE)
    url = functions.create_function_url_config(FunctionName="f", AuthType="NONE")["FunctionUrl"]
    forbidden = send(aws, url)
    assert_forbidden(forbidden)
    allow_everybody(aws)
    assert send(aws, url).status == 200
    functions.remove_permission(FunctionName="f", StatementId="invoke")
    assert send(aws, url).status == 403
    functions.remove_permission(FunctionName="f", StatementId="url")
    allow_everybody(aws)
    functions.remove_permission(FunctionName="f", StatementId="url")
    assert send(aws, url).status == 403
    assert_forbidden(send(aws, url.replace(url[7:12], "zzzzz")))


def signed(aws: Account, url: str, account: str, target: str = "/") -> Answer:
    """A request with a signature of Version 4."""
    credentials = Credentials(account, "secret")
    request = AWSRequest(method="GET", url=url.rstrip("/") + target)
    SigV4Auth(credentials, "lambda", "us-east-1").add_auth(request)
    return send(aws, url, target, headers=dict(request.headers.items()))


def test_url_with_iam_needs_a_signature_and_a_permission(aws: Account) -> None:
    """AWS_IAM: the caller's identity is in requestContext.authorizer.iam; other accounts need the function's policy."""
    functions = aws.client("lambda")
    aws.create(Code=CODE)
    url = functions.create_function_url_config(FunctionName="f", AuthType="AWS_IAM")["FunctionUrl"]
    unsigned = send(aws, url)
    assert_forbidden(unsigned)
    answer = signed(aws, url, aws.id, "/x?a=b")
    event = json.loads(answer.body)
    assert (answer.status, event["requestContext"]["accountId"]) == (200, aws.id)
    iam = event["requestContext"]["authorizer"]["iam"]
    assert (iam["accountId"], iam["userArn"], iam["accessKey"]) == (aws.id, f"arn:aws:iam::{aws.id}:root", aws.id)
    other = f"{(int(aws.id) + 1) % 10**12:012}"
    assert signed(aws, url, other).status == 403
    for number, action in enumerate(("lambda:InvokeFunctionUrl", "lambda:InvokeFunction")):
        functions.add_permission(FunctionName="f", StatementId=f"s{number}", Action=action, Principal=other)
    assert signed(aws, url, other).status == 200


def test_cors_rules_answer_pages(aws: Account) -> None:
    """A preflight is answered without the function; answers carry the rules' headers for allowed origins only."""
    cors = {
        "AllowOrigins": ["https://a.example"],
        "AllowMethods": ["GET", "POST"],
        "AllowHeaders": ["x-one"],
        "ExposeHeaders": ["x-made"],
        "AllowCredentials": True,
        "MaxAge": 60,
    }
    url = public(aws, Cors=cors)
    asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    preflight = send(aws, url, method="OPTIONS", headers=asked)
    assert (preflight.status, preflight.body) == (200, b"")
    assert preflight.header("access-control-allow-origin") == "https://a.example"
    assert preflight.header("access-control-allow-methods") == "GET,POST"
    assert preflight.header("access-control-allow-headers") == "x-one"
    assert preflight.header("access-control-max-age") == "60"
    assert preflight.header("access-control-expose-headers") is None  # of answers alone
    page = send(aws, url, "/?how=made", headers={"Origin": "https://a.example"})
    assert page.header("access-control-allow-credentials") == "true"
    assert page.header("access-control-expose-headers") == "x-made"
    stranger = send(aws, url, headers={"Origin": "https://b.example"})
    assert (stranger.status, stranger.header("access-control-allow-origin")) == (200, None)
    for credentials, told in ((False, "*"), (True, "https://b.example")):
        everybody = {"AllowOrigins": ["*"], "AllowCredentials": credentials}
        aws.client("lambda").update_function_url_config(FunctionName="f", Cors=everybody)
        answer = send(aws, url, headers={"Origin": "https://b.example"})
        assert answer.header("access-control-allow-origin") == told  # browsers take no "*" with credentials
        assert answer.header("access-control-allow-credentials") == ("true" if credentials else None)


def test_throttled_url_says_so(aws: Account) -> None:
    """429 with the Reason, as the invoke would."""
    url = public(aws)
    aws.client("lambda").put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    answer = send(aws, url)
    assert (answer.status, json.loads(answer.body)["Reason"]) == (
        429,
        "ReservedFunctionConcurrentInvocationLimitExceeded",
    )


def test_url_of_an_alias_and_its_life(aws: Account) -> None:
    """A URL per function and per alias; its address never comes back."""
    functions = aws.client("lambda")
    aws.create(Code={"ZipFile": package(app="def handler(event, context):\n    return context.invoked_function_arn\n")})
    functions.publish_version(FunctionName="f")
    functions.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    where = {"FunctionName": "f", "Qualifier": "live"}
    made = functions.create_function_url_config(**where, AuthType="AWS_IAM")
    assert (made["ResponseMetadata"]["HTTPStatusCode"], made["InvokeMode"]) == (201, "BUFFERED")
    assert signed(aws, made["FunctionUrl"], aws.id).body.decode().endswith(":function:f:live")
    with pytest.raises(functions.exceptions.ResourceConflictException):
        functions.create_function_url_config(**where, AuthType="NONE")
    functions.create_function_url_config(FunctionName="f", AuthType="AWS_IAM")
    listed = functions.list_function_url_configs(FunctionName="f")["FunctionUrlConfigs"]
    assert {one["FunctionArn"].rpartition(":")[2] for one in listed} == {"f", "live"}
    changed = functions.update_function_url_config(**where, InvokeMode="RESPONSE_STREAM")
    assert (changed["InvokeMode"], changed["AuthType"]) == ("RESPONSE_STREAM", "AWS_IAM")
    assert functions.get_function_url_config(**where)["FunctionUrl"] == made["FunctionUrl"]
    functions.delete_function_url_config(**where)
    with pytest.raises(ClientError, match="The resource you requested does not exist"):
        functions.get_function_url_config(**where)
    assert signed(aws, made["FunctionUrl"], aws.id).status == 403
    again = functions.create_function_url_config(**where, AuthType="AWS_IAM")
    assert again["FunctionUrl"] != made["FunctionUrl"]


def test_function_reaches_a_url_under_awss_name(aws: Account) -> None:
    """<id>.lambda-url.<region>.on.aws leads to the platform inside a sandbox, over TLS with the trusted CA."""
    url = public(aws)
    if aws.platform.driver != "namespace":
        lacking("only the namespace driver has a resolver of its own")
    name = urlsplit(url).netloc.replace("localhost", "on.aws").partition(":")[0]
    call = (
        "import urllib.request\n"
        "def handler(event, context):\n"
        f"    return urllib.request.urlopen('https://{name}/?how=text').read().decode()\n"
    )
    aws.create("caller", Code={"ZipFile": package(app=call)}, Timeout=20)
    assert aws.invoke("caller")[1] == "plain"


def test_requests_are_measured(aws: Account) -> None:
    """UrlRequestCount, UrlRequestLatency, Url4xxCount and Url5xxCount, by function; what never got in counts, too."""
    url = public(aws)
    assert [send(aws, url, target).status for target in ("/", "/?how=raise", "/")] == [200, 502, 200]
    aws.client("lambda").remove_permission(FunctionName="f", StatementId="url")
    assert send(aws, url).status == 403

    def told(name: str, statistic: str = "Sum") -> float | None:
        return measured(aws.client("cloudwatch"), "AWS/Lambda", name, statistic, FunctionName="f")

    assert (told("UrlRequestCount"), told("Url4xxCount"), told("Url5xxCount")) == (4, 1, 1)
    assert (told("UrlRequestLatency", "SampleCount"), told("Invocations")) == (4, 3)
    assert (told("UrlRequestLatency", "Minimum") or 0) > 0
