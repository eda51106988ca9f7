"""A bucket as a website: what a configuration may say, where it redirects, what an error shows.

Pure. The site itself is website_site.py, its host names are in addresses.py.
AWS: S3 User Guide, "Website endpoints", "Configuring an index document", "Configuring a custom error document",
"Configuring a webpage redirect" (50 routing rules at most; the first that fits counts); PutBucketWebsite.
"""

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.services.s3.errors import InvalidArgument, InvalidRequest, MalformedXML

_MOST_RULES = 50
_PROTOCOLS = (None, "http", "https")
_REDIRECTS = ("301", "302", "303", "304", "305", "307", "308")
_WRITTEN = "/~!$&'()*+,;=:@#?"
_ERROR_CODE = re.compile(r"[45]\d\d")
PRODUCT_PAGE = "https://aws.amazon.com/s3/"
"""Where an endpoint without a bucket leads."""


@record
class Asked:
    """One request: `key` is the path without its first slash, decoded; `host` is the Host header with its port."""

    key: str
    host: str
    protocol: str


@record
class Redirect:
    """An answer that leads elsewhere."""

    status: int
    location: str


def check(configuration: Mapping[str, Any]) -> None:
    """Raises what PutBucketWebsite answers to a configuration that S3 does not take."""
    everything = configuration.get("RedirectAllRequestsTo")
    if everything is not None:
        if len(configuration) > 1:
            raise InvalidRequest("RedirectAllRequestsTo cannot be given together with any other element.")
        _check_protocol(everything)
        if not everything["HostName"]:
            raise MalformedXML()
        return
    index = configuration.get("IndexDocument")
    if index is None:
        text = "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty"
        raise InvalidArgument(text, members={"ArgumentName": "IndexDocument", "ArgumentValue": "null"})
    if not index["Suffix"] or "/" in index["Suffix"]:
        members = {"ArgumentName": "IndexDocument", "ArgumentValue": index["Suffix"]}
        raise InvalidArgument("The IndexDocument Suffix is not well formed", members=members)
    if "ErrorDocument" in configuration and not configuration["ErrorDocument"]["Key"]:
        members = {"ArgumentName": "ErrorDocument", "ArgumentValue": ""}
        raise InvalidArgument("The ErrorDocument Key is not well formed", members=members)
    rules = configuration.get("RoutingRules", ())
    if len(rules) > _MOST_RULES:
        raise InvalidRequest(f"{len(rules)} routing rules provided, the number of routing rules is limited to 50.")
    for rule in rules:
        _check_rule(rule)


def _check_rule(rule: Mapping[str, Any]) -> None:
    condition, redirect = rule.get("Condition"), rule["Redirect"]
    if condition is not None and not condition:
        raise InvalidRequest("Condition cannot be empty. To redirect all requests without a condition, leave it out.")
    error = (condition or {}).get("HttpErrorCodeReturnedEquals")
    if error is not None and _ERROR_CODE.fullmatch(error) is None:
        raise InvalidRequest(f"The provided HTTP error code ({error}) is not valid. Valid codes are 4XX or 5XX.")
    if not redirect:
        raise MalformedXML()
    code = redirect.get("HttpRedirectCode")
    if code is not None and code not in _REDIRECTS:
        text = f"The provided HTTP redirect code ({code}) is not valid. Valid codes are 3XX except 300."
        raise InvalidRequest(text)
    _check_protocol(redirect)
    if "ReplaceKeyWith" in redirect and "ReplaceKeyPrefixWith" in redirect:
        raise InvalidRequest("You can only define ReplaceKeyPrefix or ReplaceKey but not both.")


def _check_protocol(redirect: Mapping[str, Any]) -> None:
    if redirect.get("Protocol") not in _PROTOCOLS:
        raise InvalidRequest("Invalid protocol, protocol can be http or https.")


def redirect_of(configuration: Mapping[str, Any], asked: Asked, error: int = 0) -> Redirect | None:
    """Where a request goes before its object is looked for; with `error`, the status that it came to, behind that."""
    everything = configuration.get("RedirectAllRequestsTo")
    if everything is not None:
        return _redirect(everything, asked, quote(asked.key))
    for rule in configuration.get("RoutingRules", ()):
        condition, redirect = rule.get("Condition", {}), rule["Redirect"]
        prefix, wanted = condition.get("KeyPrefixEquals", ""), condition.get("HttpErrorCodeReturnedEquals")
        if asked.key.startswith(prefix) and (wanted or "0") == str(error):
            return _redirect(redirect, asked, _path(redirect, asked.key, prefix))
    return None


def error_document(configuration: Mapping[str, Any], status: int) -> str | None:
    """The key of what is shown for an error of this status: of the class 4XX only."""
    return configuration.get("ErrorDocument", {}).get("Key") if 400 <= status < 500 else None


def _path(redirect: Mapping[str, Any], key: str, prefix: str) -> str:
    """A rule may write a query or a fragment; in what it keeps of the key "?" and "#" are the key's."""
    if "ReplaceKeyWith" in redirect:
        return quote(redirect["ReplaceKeyWith"], safe=_WRITTEN)
    if "ReplaceKeyPrefixWith" in redirect:
        return quote(redirect["ReplaceKeyPrefixWith"], safe=_WRITTEN) + quote(key[len(prefix) :])
    return quote(key)


def _redirect(redirect: Mapping[str, Any], asked: Asked, path: str) -> Redirect:
    protocol, host = redirect.get("Protocol") or asked.protocol, redirect.get("HostName") or asked.host
    return Redirect(status=int(redirect.get("HttpRedirectCode", 301)), location=f"{protocol}://{host}/{path}")


def page(error: ServiceError, identity: Mapping[str, str], behind: Sequence[ServiceError] = ()) -> bytes:
    """The HTML that S3 shows for an error; `behind` are those of an error document that could not be shown.

    `identity`: RequestId and HostId of the answer.
    """
    title = f"{error.status} {HTTPStatus(error.status).phrase}"
    lines = [f"<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>", *_listed(error, identity)]
    for other in behind:
        lines.append("<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>")
        lines += _listed(other, {})
    return "\n".join([*lines, "<hr/>\n</body>\n</html>\n"]).encode()


def _listed(error: ServiceError, identity: Mapping[str, str]) -> Iterator[str]:
    yield "<ul>"
    for name, value in {"Code": error.code, "Message": error.message, **error.members, **identity}.items():
        yield f"<li>{html.escape(name)}: {html.escape(str(value))}</li>"
    yield "</ul>"
