"""Static website configuration: validation.

Pure. The website host itself is not served yet; the configuration is stored and read back.
AWS: S3 User Guide, "Hosting a static website using Amazon S3"; S3 API Reference, PutBucketWebsite.
"""

from collections.abc import Mapping
from typing import Any

from undercast.services.s3.errors import InvalidArgument, InvalidRequest

_MAX_RULES = 50


def check(configuration: Mapping[str, Any]) -> None:
    """Raises InvalidArgument or InvalidRequest for a configuration that S3 does not take."""
    redirect, index = configuration.get("RedirectAllRequestsTo"), configuration.get("IndexDocument")
    if redirect:
        if any(configuration.get(name) for name in ("IndexDocument", "ErrorDocument", "RoutingRules")):
            raise InvalidRequest("RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.")
        _check_protocol(redirect)
        return
    if not index:
        raise InvalidArgument(
            "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty",
            members={"ArgumentName": "IndexDocument", "ArgumentValue": "null"},
        )
    if not index["Suffix"] or "/" in index["Suffix"]:
        raise InvalidArgument(
            "The IndexDocument Suffix is not well formed",
            members={"ArgumentName": "IndexDocument", "ArgumentValue": index["Suffix"]},
        )
    rules = configuration.get("RoutingRules") or ()
    if len(rules) > _MAX_RULES:
        raise InvalidRequest(f"The number of routing rules must not exceed {_MAX_RULES}. Try consolidating rules.")
    for rule in rules:
        _check_protocol(rule["Redirect"])
        if rule["Redirect"].get("ReplaceKeyWith") and rule["Redirect"].get("ReplaceKeyPrefixWith"):
            raise InvalidRequest("You can only define ReplaceKeyPrefix or ReplaceKey but not both.")


def _check_protocol(redirect: Mapping[str, Any]) -> None:
    if redirect.get("Protocol") not in (None, "http", "https"):
        raise InvalidRequest(
            "Invalid protocol, protocol can be http or https. If not defined the protocol will be \
selected automatically."
        )
