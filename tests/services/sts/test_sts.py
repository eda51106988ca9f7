"""Caller identity and temporary credentials through boto3."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore import UNSIGNED

from tests.platform import RunningPlatform
from tests.services.iam.conftest import Refusal, allow, trust_of

Clients = Callable[..., Any]


def credentials_of(answer: Any) -> tuple[str, str, str]:
    """(key id, secret, token) of an answer."""
    credentials = answer["Credentials"]
    return credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]


def user_keys(iam: Any, name: str, policy: str | None = None) -> tuple[str, str]:
    """A new user's access key."""
    iam.create_user(UserName=name)
    if policy is not None:
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def test_caller_identity(sts: Any, account: str, platform: RunningPlatform) -> None:
    """Rows S1-17 and X3: any dummy key works, a 12-digit one is its account."""
    answer = sts.get_caller_identity()
    assert (answer["Account"], answer["Arn"]) == (account, f"arn:aws:iam::{account}:root")
    other = platform.client("sts", account="AKIAIOSFODNN7EXAMPLE").get_caller_identity()
    assert (other["Account"], other["UserId"]) == ("000000000000", "000000000000")


def test_caller_identity_needs_no_permission(iam: Any, account: str, signed_in: Clients) -> None:
    """AWS: "No permissions are required to perform this operation", even against a Deny."""
    keys = user_keys(iam, "alice", allow("sts:*").replace("Allow", "Deny"))
    answer = signed_in("sts", *keys).get_caller_identity()
    assert answer["Arn"] == f"arn:aws:iam::{account}:user/alice"
    assert answer["UserId"] == iam.get_user(UserName="alice")["User"]["UserId"]


def test_assume_role(iam: Any, sts: Any, account: str, signed_in: Clients) -> None:
    """The session's names, its life of an hour, and the permissions of the role."""
    role = iam.create_role(RoleName="r", Path="/app/", AssumeRolePolicyDocument=trust_of({"AWS": account}))["Role"]
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=allow("iam:ListRoles"))
    answer = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="one")
    arn = f"arn:aws:sts::{account}:assumed-role/r/one"
    assert answer["AssumedRoleUser"] == {"AssumedRoleId": f"{role['RoleId']}:one", "Arn": arn}
    lasts = answer["Credentials"]["Expiration"] - datetime.now(UTC)
    assert timedelta(minutes=55) < lasts <= timedelta(hours=1)
    session = credentials_of(answer)
    assert session[0].startswith("ASIA")
    assert signed_in("sts", *session).get_caller_identity()["Arn"] == arn
    assert len(signed_in("iam", *session).list_roles()["Roles"]) == 1


def test_the_roles_policies_hold_for_its_sessions(
    iam: Any, sts: Any, account: str, signed_in: Clients, refusal: Refusal
) -> None:
    """A change of the role's policies is in force for sessions that exist."""
    arn = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust_of({"AWS": account}))["Role"]["Arn"]
    session = signed_in("iam", *credentials_of(sts.assume_role(RoleArn=arn, RoleSessionName="one")))
    assert refusal(session.list_roles)[:2] == (
        "AccessDenied",
        f"User: arn:aws:sts::{account}:assumed-role/r/one is not authorized to perform: iam:ListRoles on resource: * "
        "because no identity-based policy allows the iam:ListRoles action",
    )
    iam.attach_role_policy(RoleName="r", PolicyArn="arn:aws:iam::aws:policy/IAMFullAccess")
    assert len(session.list_roles()["Roles"]) == 1
    iam.detach_role_policy(RoleName="r", PolicyArn="arn:aws:iam::aws:policy/IAMFullAccess")
    iam.delete_role(RoleName="r")
    assert refusal(session.list_roles)[0] == "AccessDenied"


def test_the_trust_policy_decides(iam: Any, sts: Any, account: str, signed_in: Clients, refusal: Refusal) -> None:
    """The trust policy must allow; if it names the account, the user needs permission as well."""
    keys = user_keys(iam, "alice")
    alice = signed_in("sts", *keys)
    user_arn = f"arn:aws:iam::{account}:user/alice"
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust_of({"Service": "lambda.amazonaws.com"}))
    wanted = {"RoleArn": role["Role"]["Arn"], "RoleSessionName": "one"}
    denied = (
        "AccessDenied",
        f"User: {user_arn} is not authorized to perform: sts:AssumeRole on resource: {wanted['RoleArn']}",
        403,
    )
    assert refusal(alice.assume_role, **wanted) == denied
    assert refusal(sts.assume_role, **wanted)[0] == "AccessDenied"
    iam.update_assume_role_policy(RoleName="r", PolicyDocument=trust_of({"AWS": account}))
    assert refusal(alice.assume_role, **wanted) == denied
    iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=allow("sts:AssumeRole", wanted["RoleArn"]))
    alice.assume_role(**wanted)
    iam.delete_user_policy(UserName="alice", PolicyName="p")
    iam.update_assume_role_policy(RoleName="r", PolicyDocument=trust_of({"AWS": user_arn}))
    alice.assume_role(**wanted)


def test_a_role_of_another_account(platform: RunningPlatform, iam: Any, account: str, refusal: Refusal) -> None:
    """Cross-account access by a role that trusts the caller's account."""
    arn = iam.create_role(RoleName="shared", AssumeRolePolicyDocument=trust_of({"AWS": "123456789012"}))["Role"]["Arn"]
    friend = platform.client("sts", account="123456789012")
    answer = friend.assume_role(RoleArn=arn, RoleSessionName="visitor")
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{account}:assumed-role/shared/visitor"
    stranger = platform.client("sts", account="210987654321")
    assert refusal(stranger.assume_role, RoleArn=arn, RoleSessionName="visitor")[0] == "AccessDenied"


def test_external_id(iam: Any, sts: Any, account: str, refusal: Refusal) -> None:
    """AWS: "The confused deputy problem": sts:ExternalId in the trust policy."""
    trust = json.loads(trust_of({"AWS": account}))
    trust["Statement"][0]["Condition"] = {"StringEquals": {"sts:ExternalId": "secret-42"}}
    arn = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    assert refusal(sts.assume_role, RoleArn=arn, RoleSessionName="one")[0] == "AccessDenied"
    assert refusal(sts.assume_role, RoleArn=arn, RoleSessionName="one", ExternalId="wrong")[0] == "AccessDenied"
    sts.assume_role(RoleArn=arn, RoleSessionName="one", ExternalId="secret-42")


@pytest.mark.parametrize("way", ["Policy", "PolicyArns"])
def test_session_policies_narrow(
    iam: Any, sts: Any, account: str, signed_in: Clients, refusal: Refusal, way: str
) -> None:
    """What the session may do is the intersection; PackedPolicySize says how much room it takes."""
    arn = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust_of({"AWS": account}))["Role"]["Arn"]
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=allow("iam:*"))
    managed = iam.create_policy(PolicyName="m", PolicyDocument=allow("iam:ListUsers"))["Policy"]["Arn"]
    narrow: dict[str, Any] = (
        {"Policy": allow("iam:ListUsers")} if way == "Policy" else {"PolicyArns": [{"arn": managed}]}
    )
    answer = sts.assume_role(RoleArn=arn, RoleSessionName="one", **narrow)
    assert 0 < answer["PackedPolicySize"] <= 100
    session = signed_in("iam", *credentials_of(answer))
    assert session.list_users()["Users"] == []
    assert "because no session policy allows the iam:ListRoles action" in refusal(session.list_roles)[1]


def test_session_tags(iam: Any, sts: Any, account: str, signed_in: Clients, refusal: Refusal) -> None:
    """Tags become aws:PrincipalTag; passing them needs sts:TagSession in the trust policy."""
    trust = json.loads(trust_of({"AWS": account}))
    arn = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    only_red = allow("iam:ListRoles", Condition={"StringEquals": {"aws:PrincipalTag/team": "red"}})
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=only_red)
    red = {"RoleArn": arn, "RoleSessionName": "one", "Tags": [{"Key": "team", "Value": "red"}]}
    assert refusal(sts.assume_role, **red)[0] == "AccessDenied"
    trust["Statement"][0]["Action"] = ["sts:AssumeRole", "sts:TagSession"]
    iam.update_assume_role_policy(RoleName="r", PolicyDocument=json.dumps(trust))
    session = signed_in("iam", *credentials_of(sts.assume_role(**red)))
    assert len(session.list_roles()["Roles"]) == 1
    blue = sts.assume_role(**{**red, "Tags": [{"Key": "team", "Value": "blue"}]})
    assert refusal(signed_in("iam", *credentials_of(blue)).list_roles)[0] == "AccessDenied"


def test_durations(iam: Any, sts: Any, account: str, signed_in: Clients, refusal: Refusal) -> None:
    """At most the role's MaxSessionDuration, and an hour for a role assumed by a role."""
    arn = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust_of({"AWS": account}), MaxSessionDuration=7200)[
        "Role"
    ]["Arn"]
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=allow("sts:AssumeRole"))
    answer = refusal(sts.assume_role, RoleArn=arn, RoleSessionName="one", DurationSeconds=7201)
    assert answer[:2] == (
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    )
    first = sts.assume_role(RoleArn=arn, RoleSessionName="one", DurationSeconds=7200)
    chained = signed_in("sts", *credentials_of(first))
    answer = refusal(chained.assume_role, RoleArn=arn, RoleSessionName="two", DurationSeconds=3601)
    assert (
        answer[1] == "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
    )
    chained.assume_role(RoleArn=arn, RoleSessionName="two", DurationSeconds=900)


def test_a_role_that_iam_does_not_know(iam: Any, sts: Any, account: str, signed_in: Clients, refusal: Refusal) -> None:
    """An administrator gets a session that passes with warnings; a known user is denied, as on AWS."""
    arn = f"arn:aws:iam::{account}:role/deploy"
    session = sts.assume_role(RoleArn=arn, RoleSessionName="one")
    assert signed_in("iam", *credentials_of(session)).list_roles()["Roles"] == []
    alice = signed_in("sts", *user_keys(iam, "alice", allow("sts:AssumeRole")))
    assert refusal(alice.assume_role, RoleArn=arn, RoleSessionName="one")[0] == "AccessDenied"
    iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=trust_of({"AWS": account}))
    assert refusal(signed_in("iam", *credentials_of(session)).list_roles)[0] == "AccessDenied"


def test_a_bad_role_arn_and_refused_members(iam: Any, sts: Any, account: str, refusal: Refusal) -> None:
    """ValidationError for what is no role; a member whose effect is missing is named."""
    bad = refusal(sts.assume_role, RoleArn=f"arn:aws:iam::{account}:user/alice", RoleSessionName="one")
    assert bad == ("ValidationError", f"arn:aws:iam::{account}:user/alice is invalid", 400)
    arn = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust_of({"AWS": account}))["Role"]["Arn"]
    mfa = refusal(
        sts.assume_role, RoleArn=arn, RoleSessionName="one", SerialNumber="arn:aws:iam::1:mfa/a", TokenCode="123456"
    )
    assert (mfa[0], "SerialNumber" in mfa[1] or "TokenCode" in mfa[1]) == ("NotImplemented", True)
    malformed = refusal(sts.assume_role, RoleArn=arn, RoleSessionName="one", Policy="{")
    assert malformed[0] == "MalformedPolicyDocument"


def test_session_tokens(iam: Any, sts: Any, account: str, signed_in: Clients, refusal: Refusal) -> None:
    """GetSessionToken: the same user for twelve hours; not for role sessions; no token, no access."""
    keys = user_keys(iam, "alice", allow("iam:ListUsers"))
    answer = signed_in("sts", *keys).get_session_token()
    assert timedelta(hours=11) < answer["Credentials"]["Expiration"] - datetime.now(UTC) <= timedelta(hours=12)
    key_id, secret, token = credentials_of(answer)
    assert signed_in("sts", key_id, secret, token).get_caller_identity()["Arn"].endswith(":user/alice")
    assert len(signed_in("iam", key_id, secret, token).list_users()["Users"]) == 1
    assert refusal(signed_in("sts", key_id, secret).get_caller_identity)[0] == "InvalidClientTokenId"
    arn = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust_of({"AWS": account}))["Role"]["Arn"]
    session = signed_in("sts", *credentials_of(sts.assume_role(RoleArn=arn, RoleSessionName="one")))
    assert refusal(session.get_session_token)[:2] == (
        "AccessDenied",
        "Cannot call GetSessionToken with session credentials",
    )


def test_whose_key_it_is(iam: Any, sts: Any, account: str) -> None:
    """GetAccessKeyInfo: the account of keys issued here; all others stand for the default account."""
    key_id, _ = user_keys(iam, "alice")
    session = sts.get_session_token()["Credentials"]["AccessKeyId"]
    assert sts.get_access_key_info(AccessKeyId=key_id)["Account"] == account
    assert sts.get_access_key_info(AccessKeyId=session)["Account"] == account
    assert sts.get_access_key_info(AccessKeyId="AKIAIOSFODNN7EXAMPLE")["Account"] == "000000000000"


def test_federation_is_not_served(platform: RunningPlatform, refusal: Refusal) -> None:
    """It says so, also to callers without credentials."""
    client = platform.client("sts", signature_version=UNSIGNED)
    answer = refusal(
        client.assume_role_with_web_identity,
        RoleArn="arn:aws:iam::123456789012:role/r",
        RoleSessionName="one",
        WebIdentityToken="token",
    )
    assert (answer[0], "sts:AssumeRoleWithWebIdentity" in answer[1]) == ("NotImplemented", True)
    assert refusal(client.get_caller_identity)[0] == "MissingAuthenticationToken"
