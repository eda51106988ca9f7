"""Whether a bucket policy is public.

Pure. A statement is not public when it names its principals or a condition pins certain keys to fixed values.
AWS: S3 User Guide, "Blocking public access to your Amazon S3 storage", "The meaning of 'public'".
"""

from collections.abc import Mapping
from typing import Any

_PINNING_KEYS = frozenset(
    {
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:principalarn",
        "aws:principalaccount",
        "aws:sourcearn",
        "aws:sourceaccount",
        "aws:sourceip",
        "aws:sourceowner",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "s3:dataaccesspointaccount",
        "s3:dataaccesspointarn",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
    }
)


def is_public(policy: Mapping[str, Any] | None) -> bool:
    """Whether the policy grants anything to everybody."""
    return any(_public_statement(statement) for statement in _list((policy or {}).get("Statement", [])))


def _public_statement(statement: Mapping[str, Any]) -> bool:
    if statement.get("Effect") != "Allow":
        return False
    principal = statement.get("Principal", "*" if "NotPrincipal" in statement else None)
    named = _list(principal.get("AWS", [])) if isinstance(principal, Mapping) else _list(principal)
    return "*" in named and not _pinned(statement.get("Condition") or {})


def _pinned(conditions: Mapping[str, Any]) -> bool:
    return any(
        key.lower() in _PINNING_KEYS
        and not operator.lower().startswith(("stringnot", "arnnot", "notip", "null"))
        and all(_fixed(str(value)) for value in _list(values))
        for operator, pairs in conditions.items()
        for key, values in pairs.items()
    )


def _fixed(value: str) -> bool:
    return value not in ("*", "0.0.0.0/0", "::/0") and "${" not in value


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
