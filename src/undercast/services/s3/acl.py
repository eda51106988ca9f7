"""Access control lists: canned ones, grant headers, XML; and what they allow, as policy statements.

Pure. An empty tuple of grants is the default, "private": the owner has full control and nobody else anything.
AWS: S3 User Guide, "Access control list (ACL) overview", "Controlling ownership of objects".
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from undercast.core.identity import canonical_id
from undercast.services.s3.errors import InvalidArgument, InvalidRequest, MalformedACLError

Grant = Mapping[str, Any]
ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
AUTHENTICATED_USERS = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
LOG_DELIVERY = "http://acs.amazonaws.com/groups/s3/LogDelivery"
_GRANTEE = re.compile(r'\s*(id|uri|emailAddress)\s*=\s*"?([^",]+)"?\s*')
_USER_ID = re.compile(r"[0-9a-f]{64}")
_HEADERS = {
    "GrantFullControl": "FULL_CONTROL",
    "GrantRead": "READ",
    "GrantReadACP": "READ_ACP",
    "GrantWrite": "WRITE",
    "GrantWriteACP": "WRITE_ACP",
}
_CANNED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "private": (),
    "public-read": ((ALL_USERS, "READ"),),
    "public-read-write": ((ALL_USERS, "READ"), (ALL_USERS, "WRITE")),
    "authenticated-read": ((AUTHENTICATED_USERS, "READ"),),
    "log-delivery-write": ((LOG_DELIVERY, "WRITE"), (LOG_DELIVERY, "READ_ACP")),
}
_BUCKET_ACTIONS = {
    "READ": ("s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"),
    "WRITE": ("s3:PutObject", "s3:DeleteObject"),
    "READ_ACP": ("s3:GetBucketAcl",),
    "WRITE_ACP": ("s3:PutBucketAcl",),
}
_OBJECT_ACTIONS = {
    "READ": ("s3:GetObject", "s3:GetObjectVersion"),
    "READ_ACP": ("s3:GetObjectAcl", "s3:GetObjectVersionAcl"),
    "WRITE_ACP": ("s3:PutObjectAcl", "s3:PutObjectVersionAcl"),
}


_PERMISSIONS = frozenset(("FULL_CONTROL", "READ", "READ_ACP", "WRITE", "WRITE_ACP"))
_TYPES = frozenset(("AmazonCustomerByEmail", "CanonicalUser", "Group"))
_ASKING = frozenset(("ACL", "AccessControlPolicy", *_HEADERS))


def asked_for(params: Mapping[str, Any]) -> bool:
    """Whether a request sets an ACL at all."""
    return not _ASKING.isdisjoint(params) and any(params.get(name) for name in _ASKING)


def leaves_all_to(account_id: str, given: Sequence[Grant]) -> bool:
    """Whether grants are one account's full control and nothing else."""
    return all(grant == _user(canonical_id(account_id), "FULL_CONTROL") for grant in given)


def grants(params: Mapping[str, Any], owner: str, bucket_owner: str) -> tuple[Grant, ...]:
    """The grants that a request asks for, in one of its three forms. `owner` and `bucket_owner` are account ids."""
    canned, document = params.get("ACL"), params.get("AccessControlPolicy")
    headers = {permission: params[name] for name, permission in _HEADERS.items() if params.get(name)}
    if canned and headers:
        raise InvalidRequest("Specifying both Canned ACLs and Header Grants is not allowed")
    if canned:
        return _canned(canned, owner, bucket_owner)
    if headers:
        return tuple(grant for permission, text in headers.items() for grant in _from_header(text, permission))
    if document:
        return _from_document(document, owner)
    return ()


def listed(stored: Sequence[Grant], owner: str) -> list[Grant]:
    """The Grants element of GetBucketAcl and GetObjectAcl."""
    return list(stored) or [_user(canonical_id(owner), "FULL_CONTROL")]


def is_public(stored: Sequence[Grant]) -> bool:
    """Whether everybody, or everybody with an AWS account, is granted something."""
    return any(grant["Grantee"].get("URI") in (ALL_USERS, AUTHENTICATED_USERS) for grant in stored)


def bucket_statements(stored: Sequence[Grant], arn: str, caller_account: str) -> list[dict[str, Any]]:
    """Policy statements that allow what a bucket's ACL allows."""
    return [
        {"Effect": "Allow", "Principal": who, "Action": list(actions), "Resource": [arn, f"{arn}/*"], **condition}
        for who, condition, actions in _allowed(stored, _BUCKET_ACTIONS, caller_account)
    ]


def object_statements(stored: Sequence[Grant], arn: str, caller_account: str) -> list[dict[str, Any]]:
    """Policy statements that allow what an object's ACL allows."""
    return [
        {"Effect": "Allow", "Principal": who, "Action": list(actions), "Resource": arn, **condition}
        for who, condition, actions in _allowed(stored, _OBJECT_ACTIONS, caller_account)
    ]


def _allowed(
    stored: Sequence[Grant], table: Mapping[str, tuple[str, ...]], caller_account: str
) -> list[tuple[Any, dict[str, Any], tuple[str, ...]]]:
    found: list[tuple[Any, dict[str, Any], tuple[str, ...]]] = []
    for grant in stored:
        everything = tuple(action for actions in table.values() for action in actions)
        actions = everything if grant["Permission"] == "FULL_CONTROL" else table.get(grant["Permission"], ())
        uri, user = grant["Grantee"].get("URI"), grant["Grantee"].get("ID")
        if not actions:
            continue
        if uri == ALL_USERS:
            found.append(("*", {}, actions))
        elif uri == AUTHENTICATED_USERS:
            found.append(("*", {"Condition": {"Null": {"aws:PrincipalArn": "false"}}}, actions))
        elif user == canonical_id(caller_account):
            found.append(({"AWS": f"arn:aws:iam::{caller_account}:root"}, {}, actions))
    return found


def _canned(name: str, owner: str, bucket_owner: str) -> tuple[Grant, ...]:
    own = _user(canonical_id(owner), "FULL_CONTROL")
    if name in ("bucket-owner-read", "bucket-owner-full-control"):
        permission = "READ" if name == "bucket-owner-read" else "FULL_CONTROL"
        return (own,) if owner == bucket_owner else (own, _user(canonical_id(bucket_owner), permission))
    if name not in _CANNED:
        raise InvalidArgument(members={"ArgumentName": "x-amz-acl", "ArgumentValue": name})
    return (own, *(_group(uri, permission) for uri, permission in _CANNED[name]))


def _from_header(text: str, permission: str) -> list[Grant]:
    """Errors: versitygw issue 1384."""
    found: list[Grant] = []
    header = f"x-amz-grant-{permission.lower().replace('_', '-')}"
    for item in text.split(","):
        match = _GRANTEE.fullmatch(item)
        if match is None:
            members = {"ArgumentName": header, "ArgumentValue": text}
            raise InvalidArgument("Argument format not recognized", members=members)
        if match[1] == "emailAddress":
            raise InvalidArgument("Grantees by e-mail address are no longer supported. Use a canonical user id.")
        if match[1] == "id" and not _USER_ID.fullmatch(match[2]):
            raise InvalidArgument("Invalid id", members={"ArgumentName": "id", "ArgumentValue": match[2]})
        found.append(_user(match[2], permission) if match[1] == "id" else _group(match[2], permission))
    return found


def _from_document(document: Mapping[str, Any], owner: str) -> tuple[Grant, ...]:
    if document.get("Owner", {}).get("ID", canonical_id(owner)) != canonical_id(owner):
        raise InvalidArgument("Invalid id", members={"ArgumentName": "Owner/ID"})
    found: list[Grant] = []
    for grant in document.get("Grants") or ():
        grantee = grant.get("Grantee") or {}
        if grant.get("Permission") not in _PERMISSIONS or grantee.get("Type", "Group") not in _TYPES:
            raise MalformedACLError()
        if not (grantee.get("ID") or grantee.get("URI")):
            raise MalformedACLError()
        one = (
            _user(grantee["ID"], grant["Permission"])
            if grantee.get("ID")
            else _group(grantee["URI"], grant["Permission"])
        )
        found.append(one)
    return tuple(found)


def _user(user_id: str, permission: str) -> Grant:
    return {"Grantee": {"Type": "CanonicalUser", "ID": user_id}, "Permission": permission}


def _group(uri: str, permission: str) -> Grant:
    if uri not in (ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY):
        raise InvalidArgument("Invalid group uri", members={"ArgumentName": "uri", "ArgumentValue": uri})
    return {"Grantee": {"Type": "Group", "URI": uri}, "Permission": permission}
