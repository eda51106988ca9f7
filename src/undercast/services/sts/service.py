"""The manifest of STS.

Federation (web identity, SAML, federation tokens) and MFA are not served.
AWS: STS API Reference.
"""

from undercast.core.service import Manifest, operations_of
from undercast.services.sts import operations
from undercast.services.sts.access import access
from undercast.services.sts.sts import Sts

_NO_MFA = "there are no MFA devices"
_TOKEN_SIZE = "session tokens have one fixed size"

MANIFEST = Manifest(
    name="sts",
    build=Sts.build,
    operations=operations_of(operations),
    access=access,
    effective={
        "GetCallerIdentity": frozenset(),
        "AssumeRole": frozenset(
            {"RoleArn", "RoleSessionName", "PolicyArns", "Policy", "DurationSeconds", "Tags", "ExternalId"}
        ),
        "GetSessionToken": frozenset({"DurationSeconds"}),
        "GetAccessKeyInfo": frozenset({"AccessKeyId"}),
    },
    refused={
        "AssumeRole": {
            "TransitiveTagKeys": "session tags are not carried on to further roles",
            "SerialNumber": _NO_MFA,
            "TokenCode": _NO_MFA,
            "SourceIdentity": "nothing records a source identity",
            "ProvidedContexts": "there is no identity context provider",
            "MinimumSessionTokenSize": _TOKEN_SIZE,
        },
        "GetSessionToken": {
            "SerialNumber": _NO_MFA,
            "TokenCode": _NO_MFA,
            "MinimumSessionTokenSize": _TOKEN_SIZE,
        },
    },
    start=Sts.start,
    stop=Sts.stop,
    reset=Sts.forget,
    differences=(
        "The account's root may assume roles that trust its account; AWS lets root assume none.",
        "A role that IAM does not know can be assumed by an administrator, unless `--iam strict`.",
        "GetAccessKeyInfo answers with the default account for keys that were not issued here.",
    ),
)
