"""Users, groups, access keys and what they may do, through boto3."""

from collections.abc import Callable
from typing import Any

from tests.services.iam.conftest import Refusal, allow

Clients = Callable[..., Any]


def keys_of(iam: Any, name: str) -> tuple[str, str]:
    """A new access key."""
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def test_a_user_and_its_groups(iam: Any, account: str, refusal: Refusal) -> None:
    """Create, join, list, leave, delete."""
    user = iam.create_user(UserName="alice", Path="/team/")["User"]
    assert user["Arn"] == f"arn:aws:iam::{account}:user/team/alice"
    assert user["UserId"].startswith("AIDA")
    group = iam.create_group(GroupName="makers")["Group"]
    assert (group["Arn"], group["GroupId"][:4]) == (f"arn:aws:iam::{account}:group/makers", "AGPA")
    iam.add_user_to_group(GroupName="makers", UserName="alice")
    iam.add_user_to_group(GroupName="makers", UserName="alice")
    assert [u["UserName"] for u in iam.get_group(GroupName="makers")["Users"]] == ["alice"]
    assert [g["GroupName"] for g in iam.list_groups_for_user(UserName="alice")["Groups"]] == ["makers"]
    assert refusal(iam.delete_group, GroupName="makers")[0] == "DeleteConflict"
    assert refusal(iam.delete_user, UserName="alice")[0] == "DeleteConflict"
    iam.remove_user_from_group(GroupName="makers", UserName="alice")
    iam.delete_group(GroupName="makers")
    iam.delete_user(UserName="alice")
    assert refusal(iam.get_user, UserName="alice") == (
        "NoSuchEntity",
        "The user with name alice cannot be found.",
        404,
    )


def test_get_user_without_a_name(iam: Any, account: str, signed_in: Clients) -> None:
    """AWS: "If you do not specify a user name, IAM determines it from the access key"; root has the account's id."""
    root = iam.get_user()["User"]
    assert (root["UserId"], root["Arn"]) == (account, f"arn:aws:iam::{account}:root")
    iam.create_user(UserName="alice")
    iam.put_user_policy(UserName="alice", PolicyName="self", PolicyDocument=allow("iam:GetUser"))
    assert signed_in("iam", *keys_of(iam, "alice")).get_user()["User"]["UserName"] == "alice"


def test_a_user_may_do_what_its_policies_and_groups_allow(iam: Any, signed_in: Clients, refusal: Refusal) -> None:
    """Row S4-30: allow and deny on users; changes are in force at once."""
    iam.create_user(UserName="alice")
    alice = signed_in("iam", *keys_of(iam, "alice"))
    code, message, status = refusal(alice.list_roles)
    assert (code, status) == ("AccessDenied", 403)
    assert message.endswith(
        "is not authorized to perform: iam:ListRoles on resource: * because no identity-based policy allows the "
        "iam:ListRoles action"
    )
    iam.create_group(GroupName="readers")
    iam.put_group_policy(GroupName="readers", PolicyName="read", PolicyDocument=allow("iam:List*"))
    iam.add_user_to_group(GroupName="readers", UserName="alice")
    assert alice.list_roles()["Roles"] == []
    deny = allow("iam:ListRoles").replace("Allow", "Deny")
    iam.put_user_policy(UserName="alice", PolicyName="never", PolicyDocument=deny)
    assert refusal(alice.list_roles)[1].endswith("with an explicit deny in an identity-based policy")
    iam.delete_user_policy(UserName="alice", PolicyName="never")
    iam.put_user_permissions_boundary(
        UserName="alice", PermissionsBoundary="arn:aws:iam::aws:policy/AmazonS3FullAccess"
    )
    assert "because no permissions boundary allows" in refusal(alice.list_roles)[1]
    iam.delete_user_permissions_boundary(UserName="alice")
    iam.remove_user_from_group(GroupName="readers", UserName="alice")
    assert refusal(alice.list_roles)[0] == "AccessDenied"


def test_a_policy_version_that_becomes_the_default_is_in_force(iam: Any, signed_in: Clients, refusal: Refusal) -> None:
    """Managed policies change for everyone they are attached to."""
    iam.create_user(UserName="alice")
    arn = iam.create_policy(PolicyName="p", PolicyDocument=allow("iam:ListUsers"))["Policy"]["Arn"]
    iam.attach_user_policy(UserName="alice", PolicyArn=arn)
    alice = signed_in("iam", *keys_of(iam, "alice"))
    assert len(alice.list_users()["Users"]) == 1
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=allow("iam:ListRoles"), SetAsDefault=True)
    assert refusal(alice.list_users)[0] == "AccessDenied"
    assert alice.list_roles()["Roles"] == []


def test_a_user_that_is_renamed_keeps_everything(iam: Any, account: str, signed_in: Clients) -> None:
    """UpdateUser: keys, policies and groups follow."""
    iam.create_user(UserName="alice")
    iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=allow("iam:ListUsers"))
    keys = keys_of(iam, "alice")
    iam.update_user(UserName="alice", NewUserName="bob", NewPath="/x/")
    assert signed_in("sts", *keys).get_caller_identity()["Arn"] == f"arn:aws:iam::{account}:user/x/bob"
    assert len(signed_in("iam", *keys).list_users()["Users"]) == 1
    iam.create_group(GroupName="g")
    iam.update_group(GroupName="g", NewGroupName="h")
    assert [group["GroupName"] for group in iam.list_groups()["Groups"]] == ["h"]


def test_access_keys(iam: Any, account: str, signed_in: Clients, refusal: Refusal) -> None:
    """Two at most; an inactive or deleted one is refused and never taken for a foreign key."""
    iam.create_user(UserName="alice")
    first, second = keys_of(iam, "alice"), keys_of(iam, "alice")
    assert (len(first[0]), first[0][:4], len(first[1])) == (20, "AKIA", 40)
    answer = refusal(iam.create_access_key, UserName="alice")
    assert answer == ("LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2", 409)
    assert signed_in("sts", *first).get_caller_identity()["Account"] == account
    iam.update_access_key(UserName="alice", AccessKeyId=first[0], Status="Inactive")
    statuses = {
        key["AccessKeyId"]: key["Status"] for key in iam.list_access_keys(UserName="alice")["AccessKeyMetadata"]
    }
    assert statuses == {first[0]: "Inactive", second[0]: "Active"}
    invalid = ("InvalidClientTokenId", "The security token included in the request is invalid.", 403)
    assert refusal(signed_in("sts", *first).get_caller_identity) == invalid
    iam.delete_access_key(UserName="alice", AccessKeyId=second[0])
    assert refusal(signed_in("sts", *second).get_caller_identity) == invalid
    assert refusal(iam.delete_access_key, UserName="alice", AccessKeyId=second[0]) == (
        "NoSuchEntity",
        f"The Access Key with id {second[0]} cannot be found.",
        404,
    )
    assert refusal(iam.delete_user, UserName="alice")[1] == "Cannot delete entity, must delete access keys first."


def test_the_root_may_have_keys(iam: Any, account: str, signed_in: Clients, refusal: Refusal) -> None:
    """AWS: without a user name, root manages its own keys; here the way to a first key that is verified."""
    key = iam.create_access_key()["AccessKey"]
    root = signed_in("sts", key["AccessKeyId"], key["SecretAccessKey"])
    assert root.get_caller_identity()["Arn"] == f"arn:aws:iam::{account}:root"
    assert refusal(signed_in("sts", key["AccessKeyId"], "wrong").get_caller_identity)[0] == "SignatureDoesNotMatch"
    assert [one["AccessKeyId"] for one in iam.list_access_keys()["AccessKeyMetadata"]] == [key["AccessKeyId"]]
    assert iam.get_account_summary()["SummaryMap"]["AccountAccessKeysPresent"] == 1
    iam.delete_access_key(AccessKeyId=key["AccessKeyId"])
    assert refusal(root.get_caller_identity)[0] == "InvalidClientTokenId"


def test_a_wrong_secret_is_refused(iam: Any, signed_in: Clients, refusal: Refusal) -> None:
    """The signature is verified whenever we hold the secret."""
    iam.create_user(UserName="alice")
    key_id, _ = keys_of(iam, "alice")
    assert refusal(signed_in("sts", key_id, "wrong").get_caller_identity)[::2] == ("SignatureDoesNotMatch", 403)


def test_when_a_key_was_last_used(iam: Any, signed_in: Clients, refusal: Refusal) -> None:
    """GetAccessKeyLastUsed; "N/A" for a key that was never used."""
    iam.create_user(UserName="alice")
    keys = keys_of(iam, "alice")
    unused = iam.get_access_key_last_used(AccessKeyId=keys[0])
    assert unused["UserName"] == "alice"
    assert unused["AccessKeyLastUsed"] == {"ServiceName": "N/A", "Region": "N/A"}
    signed_in("sts", *keys).get_caller_identity()
    used = iam.get_access_key_last_used(AccessKeyId=keys[0])["AccessKeyLastUsed"]
    assert (used["ServiceName"], used["Region"], "LastUsedDate" in used) == ("sts", "us-east-1", True)
    assert refusal(iam.get_access_key_last_used, AccessKeyId="AKIAUNKNOWNUNKNOWN12")[0] == "NoSuchEntity"


def test_instance_profiles(iam: Any, account: str, trust: str, refusal: Refusal) -> None:
    """One role at most; deleted only when empty."""
    profile = iam.create_instance_profile(InstanceProfileName="p", Tags=[{"Key": "a", "Value": "1"}])["InstanceProfile"]
    assert (profile["Arn"], profile["Roles"]) == (f"arn:aws:iam::{account}:instance-profile/p", [])
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)
    iam.add_role_to_instance_profile(InstanceProfileName="p", RoleName="r")
    assert iam.get_instance_profile(InstanceProfileName="p")["InstanceProfile"]["Roles"][0]["RoleName"] == "r"
    answer = refusal(iam.add_role_to_instance_profile, InstanceProfileName="p", RoleName="r")
    assert answer[1] == "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1"
    assert refusal(iam.delete_instance_profile, InstanceProfileName="p")[0] == "DeleteConflict"
    iam.remove_role_from_instance_profile(InstanceProfileName="p", RoleName="r")
    iam.delete_instance_profile(InstanceProfileName="p")
    assert refusal(iam.get_instance_profile, InstanceProfileName="p") == (
        "NoSuchEntity",
        "Instance Profile p cannot be found.",
        404,
    )
    assert iam.list_instance_profiles()["InstanceProfiles"] == []


def test_the_account(iam: Any, account: str, trust: str, refusal: Refusal) -> None:
    """Alias, summary and authorization details."""
    alias = f"alias-{account}"
    iam.create_account_alias(AccountAlias=alias)
    assert iam.list_account_aliases()["AccountAliases"] == [alias]
    iam.delete_account_alias(AccountAlias=alias)
    assert refusal(iam.delete_account_alias, AccountAlias=alias)[0] == "NoSuchEntity"
    iam.create_user(UserName="alice")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=allow("s3:*"))
    iam.create_policy(PolicyName="m", PolicyDocument=allow("s3:*"))
    summary = iam.get_account_summary()["SummaryMap"]
    assert (summary["Users"], summary["Roles"], summary["Policies"], summary["PolicySizeQuota"]) == (1, 1, 1, 6144)
    details = iam.get_account_authorization_details()
    assert [user["UserName"] for user in details["UserDetailList"]] == ["alice"]
    assert details["RoleDetailList"][0]["RolePolicyList"][0]["PolicyName"] == "p"
    assert details["Policies"][0]["PolicyVersionList"][0]["VersionId"] == "v1"
    assert iam.get_account_authorization_details(Filter=["Role"])["UserDetailList"] == []


def test_authorization_details_have_profiles_and_awss_policies_in_use(iam: Any, trust: str) -> None:
    """RoleDetail.InstanceProfileList; Filter AWSManagedPolicy gives those of AWS that the account has attached."""
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)
    iam.create_instance_profile(InstanceProfileName="p")
    iam.add_role_to_instance_profile(InstanceProfileName="p", RoleName="r")
    arn = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
    assert iam.get_account_authorization_details(Filter=["AWSManagedPolicy"])["Policies"] == []
    iam.attach_role_policy(RoleName="r", PolicyArn=arn)
    details = iam.get_account_authorization_details()
    profile = details["RoleDetailList"][0]["InstanceProfileList"][0]
    assert (profile["InstanceProfileName"], profile["Roles"][0]["RoleName"]) == ("p", "r")
    only = iam.get_account_authorization_details(Filter=["AWSManagedPolicy"])
    assert (only["RoleDetailList"], details["Policies"]) == ([], only["Policies"])
    found = only["Policies"][0]
    assert (found["Arn"], found["AttachmentCount"], len(found["PolicyVersionList"])) == (arn, 1, 1)
