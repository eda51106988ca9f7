"""Rows as the members of AWS's responses.

Policy documents go out percent-encoded as RFC 3986 says (IAM API Reference, note at GetRole).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from undercast.services.iam.entities import Entity
from undercast.services.iam.policies import ManagedPolicy, Version

Shape = dict[str, Any]
Tags = Sequence[Mapping[str, str]]


def encoded(document: str) -> str:
    """A policy document as responses carry it."""
    return quote(document, safe="")


def moment(seconds: float) -> datetime:
    """A timestamp member; IAM's have whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC)


def entity(one: Entity) -> Shape:
    """What roles, users and groups have in common."""
    return {
        "Path": one.path,
        one.kind.name_member: one.name,
        f"{one.kind.label}Id": one.id,
        "Arn": one.arn,
        "CreateDate": moment(one.created_at),
    }


def role(one: Entity) -> Shape:
    """A role as lists have it."""
    shape = entity(one) | {
        "AssumeRolePolicyDocument": encoded(one.trust_policy),
        "MaxSessionDuration": one.max_session_s,
    }
    if one.description:
        shape["Description"] = one.description
    return shape


def whole_role(one: Entity, tags: Tags) -> Shape:
    """A role as GetRole has it."""
    return role(one) | _boundary(one) | _tags(tags) | {"RoleLastUsed": {}}


def whole_user(one: Entity, tags: Tags) -> Shape:
    """A user as GetUser has it."""
    return entity(one) | _boundary(one) | _tags(tags)


def policy(one: ManagedPolicy, attachments: int, boundaries: int = 0) -> Shape:
    """A managed policy as lists have it."""
    return {
        "PolicyName": one.name,
        "PolicyId": one.id,
        "Arn": one.arn,
        "Path": one.path,
        "DefaultVersionId": f"v{one.default_version}",
        "AttachmentCount": attachments,
        "PermissionsBoundaryUsageCount": boundaries,
        "IsAttachable": True,
        "CreateDate": moment(one.created_at),
        "UpdateDate": moment(one.updated_at),
    }


def whole_policy(one: ManagedPolicy, attachments: int, boundaries: int, tags: Tags) -> Shape:
    """A managed policy as GetPolicy has it."""
    shape = policy(one, attachments, boundaries) | {"Tags": list(tags)}
    return shape | {"Description": one.description} if one.description else shape


def version(one: Version, *, with_document: bool) -> Shape:
    """A version of a managed policy; lists leave the document out."""
    shape: Shape = {
        "VersionId": one.id,
        "IsDefaultVersion": one.default,
        "CreateDate": moment(one.created_at),
    }
    return {"Document": encoded(one.document)} | shape if with_document else shape


def _boundary(one: Entity) -> Shape:
    if one.boundary_arn is None:
        return {}
    boundary = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": one.boundary_arn}
    return {"PermissionsBoundary": boundary}


def _tags(tags: Tags) -> Shape:
    return {"Tags": list(tags)} if tags else {}
