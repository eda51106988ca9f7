"""Cross-origin rules of a bucket: validation, and the headers that a request from a browser is answered with.

Pure. The gateway asks `answer` through the manifest, for a preflight and for every request with an Origin.
AWS: S3 User Guide, "Using cross-origin resource sharing (CORS)", "Elements of a CORS configuration".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from undercast.core.service import CrossOrigin
from undercast.services.s3.errors import AccessForbidden, BadRequest, InvalidRequest, MalformedXML, NoSuchBucket
from undercast.services.s3.models import Bucket

_METHODS = frozenset({"GET", "PUT", "HEAD", "POST", "DELETE"})
_MAX_RULES = 100
_VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"


def check(configuration: Mapping[str, Any]) -> None:
    """Raises InvalidRequest or MalformedXML for a configuration that S3 does not take."""
    rules = configuration["CORSRules"]
    if not 1 <= len(rules) <= _MAX_RULES:
        raise MalformedXML()
    for rule in rules:
        for method in rule["AllowedMethods"]:
            if method not in _METHODS:
                text = f"Found unsupported HTTP method in CORS config. Unsupported method is {method}"
                raise InvalidRequest(text)
        for element, values in (
            ("AllowedOrigin", rule["AllowedOrigins"]),
            ("AllowedHeader", rule.get("AllowedHeaders", ())),
        ):
            for value in values:
                if value.count("*") > 1:
                    raise InvalidRequest(f'{element} "{value}" can not have more than one wildcard.')
        for header in rule.get("ExposeHeaders", ()):
            if "*" in header:
                text = (
                    f'ExposeHeader "{header}" contains wildcard. We currently do not support wildcard for ExposeHeader.'
                )
                raise InvalidRequest(text)


def answer(bucket: Bucket | None, request: CrossOrigin) -> Mapping[str, str]:
    """The headers for a request. Raises what S3 answers to a preflight that no rule allows."""
    if not request.origin:
        raise BadRequest("Insufficient information. Origin request header needed.")
    if request.method not in _METHODS:
        raise BadRequest(f"Invalid Access-Control-Request-Method: {request.method or 'null'}")
    if bucket is None:
        raise NoSuchBucket(members={"BucketName": request.resource.get("Bucket", "")})
    about = {"Method": request.method, "ResourceType": "OBJECT" if "Key" in request.resource else "BUCKET"}
    configuration = bucket.configurations.get("cors")
    if configuration is None:
        raise AccessForbidden("CORSResponse: CORS is not enabled for this bucket.", members=about)
    headers = cors_headers(configuration, request.origin, request.method, request.headers)
    if headers is None:
        raise AccessForbidden(members=about)
    return headers


def cors_headers(
    configuration: Mapping[str, Any] | None, origin: str, method: str, request_headers: Sequence[str] = ()
) -> dict[str, str] | None:
    """The response headers of the first rule that allows the request; None when none does.

    For a preflight, `method` and `request_headers` are Access-Control-Request-Method and -Headers.
    """
    for rule in (configuration or {}).get("CORSRules", ()):
        pattern = next((item for item in rule["AllowedOrigins"] if _matches(item, origin)), None)
        allowed = rule.get("AllowedHeaders", ())
        if pattern is None or method not in rule["AllowedMethods"]:
            continue
        if all(any(_matches(item.lower(), name.lower()) for item in allowed) for name in request_headers):
            return _headers(rule, origin if pattern != "*" else "*", request_headers)
    return None


def _headers(rule: Mapping[str, Any], origin: str, request_headers: Sequence[str]) -> dict[str, str]:
    headers = {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": ", ".join(rule["AllowedMethods"]),
        "Vary": _VARY,
    }
    if origin != "*":
        headers["Access-Control-Allow-Credentials"] = "true"
    if request_headers:
        headers["Access-Control-Allow-Headers"] = ", ".join(name.lower() for name in request_headers)
    if rule.get("ExposeHeaders"):
        headers["Access-Control-Expose-Headers"] = ", ".join(rule["ExposeHeaders"])
    if rule.get("MaxAgeSeconds") is not None:
        headers["Access-Control-Max-Age"] = str(rule["MaxAgeSeconds"])
    return headers


def _matches(pattern: str, text: str) -> bool:
    start, star, end = pattern.partition("*")
    if not star:
        return pattern == text
    return len(text) >= len(start) + len(end) and text.startswith(start) and text.endswith(end)
