"""Who a request is from, by its access key, signature and session token."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.auth.requests import dynamodb_call, lambda_call, s3_call, sts_call
from tests.unit.policy.callers import ALICE, SESSION
from undercast.core.clock import HostClock
from undercast.core.errors import ServiceError
from undercast.core.identity import Credential
from undercast.gateway.auth import Authenticator
from undercast.wire.call import Call
from undercast.wire.signature import check_addressee

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYAA"
ALICES = Credential(access_key_id="AKIAALICEALICEALICE1", secret_access_key=SECRET, principal=ALICE)
HOST = HostClock()


def session(expires_in_s: float) -> Credential:
    """A session of a role in an environment."""
    return Credential(
        access_key_id="ASIASESSIONSESSION12",
        secret_access_key=SECRET,
        principal=SESSION,
        session_token="token",
        expires_at=HOST.now() + expires_in_s,
        environment_id="environment-1",
    )


def gate(*credentials: Credential, **options: Any) -> Authenticator:
    """An authenticator that has issued these."""
    by_id = {credential.access_key_id: credential for credential in credentials}
    return Authenticator((by_id.get,), HOST, **options)


def refusal(authenticator: Authenticator, call: Call) -> ServiceError:
    """The error of a refused call."""
    with pytest.raises(ServiceError) as error:
        authenticator.authenticate(call)
    return error.value


def test_a_twelve_digit_key_is_its_account() -> None:
    """Our own rule: accounts without any set-up."""
    principal = gate().authenticate(lambda_call("123456789012")).principal
    assert (principal.kind, principal.account_id) == ("root", "123456789012")
    assert principal.arn == "arn:aws:iam::123456789012:root"


@pytest.mark.parametrize("key", ["test", "AKIAIOSFODNN7EXAMPLE", "12345678901"])
def test_a_key_that_was_not_issued_here_is_the_default_administrator(key: str) -> None:
    """Tools with any dummy credentials work; nothing of a foreign key is verified or kept."""
    identity = gate().authenticate(lambda_call(key, secret="whatever"))
    assert identity.principal.arn == "arn:aws:iam::000000000000:root"
    assert identity.signing_key is None


@pytest.mark.parametrize("call", [lambda_call, s3_call, sts_call])
def test_an_issued_key_is_verified(call: Callable[..., Call]) -> None:
    """A signature is checked whenever we hold the secret."""
    assert gate(ALICES).authenticate(call(ALICES.access_key_id)).principal is ALICE


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda_call, "InvalidSignatureException"),
        (s3_call, "SignatureDoesNotMatch"),
    ],
)
def test_a_wrong_secret_is_refused(call: Callable[..., Call], code: str) -> None:
    """AWS's code depends on the service."""
    error = refusal(gate(ALICES), call(ALICES.access_key_id, secret="wrong"))
    assert (error.code, error.status) == (code, 403)


def test_a_session_needs_its_token_and_brings_its_environment() -> None:
    """I10: the environment of a session is known by its credentials."""
    call = lambda_call("ASIASESSIONSESSION12", token="token")
    identity = gate(session(60)).authenticate(call)
    assert (identity.principal, identity.environment_id) == (SESSION, "environment-1")


@pytest.mark.parametrize(
    ("call", "code", "text"),
    [
        (lambda_call, "UnrecognizedClientException", "The security token included in the request is invalid."),
        (sts_call, "InvalidClientTokenId", "The security token included in the request is invalid."),
        (s3_call, "InvalidToken", "The provided token is malformed or otherwise invalid."),
    ],
)
@pytest.mark.parametrize("token", [None, "stolen"])
def test_a_session_with_another_token_is_refused(
    call: Callable[..., Call], code: str, text: str, token: str | None
) -> None:
    """A session key alone is worth nothing."""
    error = refusal(gate(session(60)), call("ASIASESSIONSESSION12", token=token))
    assert (error.code, error.message) == (code, text)


@pytest.mark.parametrize(
    ("call", "code", "status"),
    [(lambda_call, "ExpiredTokenException", 403), (sts_call, "ExpiredToken", 403), (s3_call, "ExpiredToken", 400)],
)
def test_an_expired_session_is_refused(call: Callable[..., Call], code: str, status: int) -> None:
    """Expiry is on the host clock."""
    error = refusal(gate(session(-1)), call("ASIASESSIONSESSION12", token="token"))
    assert (error.code, error.status) == (code, status)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda_call, "UnrecognizedClientException"),
        (sts_call, "InvalidClientTokenId"),
        (s3_call, "InvalidAccessKeyId"),
    ],
)
def test_an_inactive_key_is_refused_and_not_taken_for_a_foreign_one(call: Callable[..., Call], code: str) -> None:
    """A key that its owner disabled must not become an administrator."""
    disabled = Credential(access_key_id=ALICES.access_key_id, secret_access_key=SECRET, principal=ALICE, active=False)
    assert refusal(gate(disabled), call(ALICES.access_key_id)).code == code


@pytest.mark.parametrize("key", [ALICES.access_key_id, "123456789012", "test"])
@pytest.mark.parametrize("service", ["sts", "nonsense", "s3", "streams.dynamodb"])
def test_a_signature_for_another_service_is_refused(service: str, key: str) -> None:
    """As on AWS, whoever signed; DynamoDB Streams has the signing name of DynamoDB."""
    error = refusal(gate(ALICES), dynamodb_call(key, service))
    assert (error.code, error.status) == ("InvalidSignatureException", 400)
    assert error.message == "Credential should be scoped to correct service: 'dynamodb'."
    for prefix in ("DynamoDB_20120810", "DynamoDBStreams_20120810"):
        gate(ALICES).authenticate(dynamodb_call(key, prefix=prefix))


@pytest.mark.parametrize("call", [dynamodb_call, lambda_call, sts_call])
def test_a_signature_that_does_not_cover_the_host_is_refused(call: Callable[..., Call]) -> None:
    """It would be good at every host."""
    signed = call(ALICES.access_key_id)
    assert signed.signature is not None
    claims = replace(signed.signature, signed_headers=("x-amz-date",))
    error = refusal(gate(ALICES), replace(signed, signature=claims))
    assert error.code == ("SignatureDoesNotMatch" if call is sts_call else "InvalidSignatureException")
    assert error.message == "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."


def test_over_http2_the_authority_is_the_host() -> None:
    """The SDK for JavaScript signs it in place of the host when it calls Kinesis."""
    signed = dynamodb_call("123456789012")
    assert signed.signature is not None
    claims = replace(signed.signature, signed_headers=(":authority", "x-amz-date"))
    check_addressee(replace(signed, signature=claims))


def test_an_unsigned_request_is_refused_but_for_s3() -> None:
    """Any web page can send unsigned requests to loopback; S3 asks the bucket's policy."""
    error = refusal(gate(), lambda_call(None))
    assert (error.code, error.status, error.message) == (
        "MissingAuthenticationTokenException",
        403,
        "Missing Authentication Token",
    )
    assert refusal(gate(), dynamodb_call(None)).status == 403
    assert gate().authenticate(s3_call(None)).principal.kind == "anonymous"


def test_only_issued_keys_where_others_can_reach_the_platform() -> None:
    """Bound to another address than loopback, the platform demands keys it issued."""
    guarded = gate(ALICES, issued_keys_only=True)
    assert guarded.authenticate(lambda_call(ALICES.access_key_id)).principal is ALICE
    assert refusal(guarded, lambda_call("test")).code == "UnrecognizedClientException"
    assert refusal(guarded, lambda_call("123456789012")).code == "UnrecognizedClientException"


def test_the_use_of_an_issued_key_is_noted() -> None:
    """For iam:GetAccessKeyLastUsed."""
    noted: list[tuple[str, str, str]] = []
    authenticator = gate(
        ALICES, used=lambda credential, service, region, now: noted.append((credential.access_key_id, service, region))
    )
    authenticator.authenticate(s3_call(ALICES.access_key_id))
    authenticator.authenticate(lambda_call("test"))
    assert noted == [(ALICES.access_key_id, "s3", "us-east-1")]


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda_call, "UnrecognizedClientException"),
        (sts_call, "InvalidClientTokenId"),
        (s3_call, "InvalidAccessKeyId"),
    ],
)
@pytest.mark.parametrize("key", ["test", "123456789012"])
def test_a_function_cannot_make_up_a_key(call: Callable[..., Call], code: str, key: str) -> None:
    """Inside a sandbox only keys that were issued count; else a made-up one were the account's administrator."""
    assert refusal(gate(ALICES), _inside(call(key))).code == code
    assert gate(ALICES).authenticate(_inside(call(ALICES.access_key_id))).principal is ALICE


def test_a_function_may_read_what_is_public() -> None:
    """An unsigned request to S3 stays anonymous, in a sandbox as elsewhere."""
    assert gate().authenticate(_inside(s3_call(None))).principal.kind == "anonymous"


def _inside(call: Call) -> Call:
    return replace(call, request=replace(call.request, environment_id="environment-1"))
