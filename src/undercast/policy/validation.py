"""What AWS asks of a policy document before it saves one, in AWS's words.

Knows the grammar only; nothing is looked up, and unknown action names pass, as they do on AWS.
AWS: IAM User Guide, "Grammar of the IAM JSON policy language"; IAM API, MalformedPolicyDocument.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

from undercast.core.errors import ServiceError

PolicyKind = Literal["any", "managed", "inline", "session", "resource", "trust"]

_VERSIONS = ("2012-10-17", "2008-10-17")
_DOCUMENT_KEYS = frozenset({"Version", "Id", "Statement"})
_STATEMENT_KEYS = frozenset(
    {
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    }
)
_SID = re.compile(r"[0-9A-Za-z]*")
_VENDOR = re.compile(r"[0-9A-Za-z-]+")
_PARTITIONS = frozenset({"aws", "aws-cn", "aws-us-gov", "*", ""})
_IDENTITY: frozenset[PolicyKind] = frozenset({"managed", "inline", "session"})
_SYNTAX = "Syntax errors in policy."
INVALID_PRINCIPAL = "Invalid principal in policy"
_TRUST_ACTIONS = re.compile(r"sts:.*|\*", re.IGNORECASE)


def malformed(text: str) -> ServiceError:
    """The error of IAM and STS; S3, SQS and others give the same texts under their own code."""
    return ServiceError("MalformedPolicyDocument", text, 400)


def syntax_text(kind: PolicyKind) -> str:
    """What AWS says of a text that is no JSON."""
    return _SYNTAX if kind == "managed" else "This policy contains invalid Json"


def as_list(value: Any) -> list[Any]:
    """One or many, as the grammar allows for most elements."""
    return value if isinstance(value, list) else [value]


def check(document: Any, kind: PolicyKind) -> None:
    """Raises ServiceError MalformedPolicyDocument for the first thing that is wrong."""
    if not isinstance(document, Mapping):
        raise malformed(_SYNTAX)
    for key in document:
        if key not in _DOCUMENT_KEYS:
            raise malformed(_SYNTAX if kind in _IDENTITY else f"Unknown field {key}")
    if "Statement" not in document:
        raise malformed(_SYNTAX if kind in _IDENTITY else "Missing required field Statement")
    _check_version(document, kind)
    statements = as_list(document["Statement"])
    if not statements and kind in _IDENTITY:
        raise malformed(_SYNTAX)
    for statement in statements:
        _check_statement(statement, kind)
    _check_sids(statements, kind)


def _check_version(document: Mapping[str, Any], kind: PolicyKind) -> None:
    version = document.get("Version")
    if version is not None and version not in _VERSIONS:
        raise malformed(_SYNTAX if kind in _IDENTITY else "The policy must contain a valid version string")
    if kind == "managed" and version != _VERSIONS[0]:
        raise malformed("Policy document must be version 2012-10-17 or greater.")


def _check_statement(raw: Any, kind: PolicyKind) -> None:
    if not isinstance(raw, Mapping):
        raise malformed(_SYNTAX)
    for key in raw:
        if key not in _STATEMENT_KEYS:
            raise malformed(_SYNTAX if kind in _IDENTITY else f"Unknown field {key}")
    if raw.get("Effect") not in ("Allow", "Deny"):
        if kind in _IDENTITY or kind == "any":
            raise malformed(_SYNTAX)
        raise malformed(f"Invalid effect: {raw['Effect']}" if "Effect" in raw else "Missing required field Effect")
    _check_who(raw, kind)
    _check_what(raw, kind)
    _check_where(raw, kind)
    _check_conditions(raw)


def _check_who(raw: Mapping[str, Any], kind: PolicyKind) -> None:
    named = [name for name in ("Principal", "NotPrincipal") if name in raw]
    if len(named) == 2:
        raise malformed(_SYNTAX)
    if named and kind in _IDENTITY:
        raise malformed("Policy document should not specify a principal.")
    if not named and kind in ("resource", "trust"):
        raise malformed("Missing required field Principal")
    if named == ["NotPrincipal"] and kind == "trust":
        raise malformed("Has prohibited field NotPrincipal")


def _check_what(raw: Mapping[str, Any], kind: PolicyKind) -> None:
    if ("Action" in raw) == ("NotAction" in raw):
        missing = "Action" not in raw
        raise malformed("Policy statement must contain actions." if missing else _SYNTAX)
    actions = _texts(raw, "Action", "NotAction")
    if not actions:
        raise malformed("Policy statement must contain actions.")
    for action in actions:
        _check_action(action)
        if kind == "trust" and not _TRUST_ACTIONS.fullmatch(action):
            raise malformed("AssumeRole policy may only specify STS AssumeRole actions.")


def _check_action(action: str) -> None:
    if action == "*":
        return
    vendor, colon, name = action.partition(":")
    if not colon:
        raise malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
    if ":" in name:
        raise malformed("Actions/Condition can contain only one colon.")
    if not _VENDOR.fullmatch(vendor):
        raise malformed(f"Vendor {vendor} is not valid")


def _check_where(raw: Mapping[str, Any], kind: PolicyKind) -> None:
    named = [name for name in ("Resource", "NotResource") if name in raw]
    if kind == "trust" and named:
        raise malformed(f"Has prohibited field {named[0]}")
    if len(named) == 2:
        raise malformed(_SYNTAX)
    resources = _texts(raw, "Resource", "NotResource")
    if not resources and kind in _IDENTITY:
        raise malformed("Policy statement must contain resources.")
    if not named and kind == "resource":
        raise malformed("Missing required field Resource")
    for resource in resources:
        _check_resource(resource)


def _check_resource(resource: str) -> None:
    if resource == "*" or resource.startswith("${"):
        return
    if not resource.startswith("arn:"):
        raise malformed(f'Resource {resource} must be in ARN format or "*".')
    fields = resource.split(":", 5)
    if fields[1] not in _PARTITIONS and "${" not in fields[1]:
        raise malformed(f'Partition "{fields[1]}" is not valid for resource "{resource}".')
    if len(fields) > 3 and fields[2] == "iam" and fields[3] not in ("", "*"):
        raise malformed(f"IAM resource {resource} cannot contain region information.")


def _check_conditions(raw: Mapping[str, Any]) -> None:
    block = raw.get("Condition", {})
    if not isinstance(block, Mapping) or not all(isinstance(by_key, Mapping) for by_key in block.values()):
        raise malformed(_SYNTAX)
    values = (value for by_key in block.values() for values in by_key.values() for value in as_list(values))
    if not all(isinstance(value, str | bool | int | float) for value in values):
        raise malformed(_SYNTAX)


def _check_sids(statements: list[Mapping[str, Any]], kind: PolicyKind) -> None:
    sids = [statement["Sid"] for statement in statements if "Sid" in statement]
    if not all(isinstance(sid, str) for sid in sids):
        raise malformed(_SYNTAX)
    if kind in _IDENTITY and not all(_SID.fullmatch(sid) for sid in sids):
        raise malformed(
            "Statement IDs (SID) must be alpha-numeric. "
            "Check that your input satisfies the regular expression [0-9A-Za-z]*"
        )
    named = [sid for sid in sids if sid]
    if kind != "any" and len(set(named)) != len(named):
        raise malformed("Statement IDs (SID) in a single policy must be unique.")


def _texts(raw: Mapping[str, Any], *names: str) -> list[str]:
    values = [value for name in names if name in raw for value in as_list(raw[name])]
    if not all(isinstance(value, str) for value in values):
        raise malformed(_SYNTAX)
    return values
