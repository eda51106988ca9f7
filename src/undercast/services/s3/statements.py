"""What S3 asks of the statements of a bucket's policy: that each of them can mean the bucket or objects in it.

Pure. Actions with wildcards, and those that are not listed here, are not looked at.
AWS: Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3". Its refusals, as S3 gives
them: versitygw issues 645, 646 and 648.
"""

from collections.abc import Mapping
from typing import Any

from undercast.services.s3.errors import MalformedPolicy

_OF_OBJECTS = frozenset(
    [
        "abortmultipartupload",
        "bypassgovernanceretention",
        "deleteobject",
        "deleteobjecttagging",
        "deleteobjectversion",
        "deleteobjectversiontagging",
        "getobject",
        "getobjectacl",
        "getobjectattributes",
        "getobjectlegalhold",
        "getobjectretention",
        "getobjecttagging",
        "getobjectversion",
        "getobjectversionacl",
        "getobjectversionattributes",
        "getobjectversiontagging",
        "listmultipartuploadparts",
        "putobject",
        "putobjectacl",
        "putobjectlegalhold",
        "putobjectretention",
        "putobjecttagging",
        "putobjectversionacl",
        "putobjectversiontagging",
        "restoreobject",
    ]
)
_OF_BUCKETS = frozenset(
    [
        "deletebucket",
        "deletebucketpolicy",
        "deletebucketwebsite",
        "getaccelerateconfiguration",
        "getbucketacl",
        "getbucketcors",
        "getbucketlocation",
        "getbucketlogging",
        "getbucketnotification",
        "getbucketobjectlockconfiguration",
        "getbucketownershipcontrols",
        "getbucketpolicy",
        "getbucketpolicystatus",
        "getbucketpublicaccessblock",
        "getbucketrequestpayment",
        "getbuckettagging",
        "getbucketversioning",
        "getbucketwebsite",
        "getencryptionconfiguration",
        "getlifecycleconfiguration",
        "getreplicationconfiguration",
        "listbucket",
        "listbucketmultipartuploads",
        "listbucketversions",
        "putaccelerateconfiguration",
        "putbucketacl",
        "putbucketcors",
        "putbucketlogging",
        "putbucketnotification",
        "putbucketobjectlockconfiguration",
        "putbucketownershipcontrols",
        "putbucketpolicy",
        "putbucketpublicaccessblock",
        "putbucketrequestpayment",
        "putbuckettagging",
        "putbucketversioning",
        "putbucketwebsite",
        "putencryptionconfiguration",
        "putlifecycleconfiguration",
        "putreplicationconfiguration",
    ]
)


def check_statements(bucket: str, document: Mapping[str, Any]) -> None:
    """Raises MalformedPolicy for a statement that is none of this bucket's."""
    statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    if not statements:
        raise MalformedPolicy("Could not parse the policy: Statement is empty!")
    for statement in statements:
        _check(bucket, statement)


def _check(bucket: str, statement: Mapping[str, Any]) -> None:
    for action in _texts(statement.get("Action", statement.get("NotAction"))):
        if action != "*" and not action.lower().startswith("s3:"):
            raise MalformedPolicy("Policy has invalid action")
    for resource in _texts(statement.get("Resource", statement.get("NotResource"))):
        target = resource.partition(":::")[2].partition("/")[0]
        if resource != "*" and target not in (bucket, "*"):
            raise MalformedPolicy("Policy has invalid resource")
    if "Action" in statement and "Resource" in statement:
        _check_kinds(_texts(statement["Action"]), _texts(statement["Resource"]))


def _check_kinds(actions: list[str], resources: list[str]) -> None:
    names = [resource.partition(":::")[2] for resource in resources if resource != "*"]
    wide = len(names) < len(resources) or "*" in names
    of_objects = wide or any("/" in name for name in names)
    of_buckets = wide or any("/" not in name for name in names)
    for action in actions:
        name = action.lower().removeprefix("s3:")
        if (name in _OF_OBJECTS and not of_objects) or (name in _OF_BUCKETS and not of_buckets):
            raise MalformedPolicy("Action does not apply to any resource(s) in statement")


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())
