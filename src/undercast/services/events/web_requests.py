"""The request to an API destination: endpoint, parameters of the target and of the connection, authorisation.

Pure. Where both name the same parameter, the connection's counts. GET, HEAD and OPTIONS carry no body.
AWS: EventBridge API Reference, HttpParameters, ConnectionHttpParameters; User Guide, "API destinations as targets"
(headers, dynamic path parameters).
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from undercast.core import json_values
from undercast.events.inputs import MISSING, at_path, compact
from undercast.events.web import WebRequest

_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_HEADERS = {
    "User-Agent": "Amazon/EventBridge/ApiDestinations",
    "Content-Type": "application/json; charset=utf-8",
    "Range": "bytes=0-1048575",
    "Accept-Encoding": "gzip,deflate",
}
_TOKEN_BYTES = 65_536
_OWN = ("/_undercast", "/_localstack")
"""Paths of the platform itself, which no event may reach."""


def is_own(url: str) -> bool:
    """Whether a URL has a path of the platform itself."""
    return unquote(urlsplit(url).path).startswith(_OWN)


def parameters(given: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, Any]:
    """A target's HttpParameters with what their paths find in the event."""

    def value(text: str) -> str:
        found = at_path(event, text) if text.startswith("$.") else text
        return "" if found is MISSING else found if isinstance(found, str) else compact(found)

    return {
        "path": [value(one) for one in given.get("PathParameterValues") or ()],
        "headers": {name: value(one) for name, one in (given.get("HeaderParameters") or {}).items()},
        "query": {name: value(one) for name, one in (given.get("QueryStringParameters") or {}).items()},
    }


def invocation(
    endpoint: str, method: str, text: str, of_target: Mapping[str, Any], auth: Mapping[str, Any]
) -> WebRequest:
    """The request. `auth` are AuthParameters with their secrets; `token` in it is OAuth's."""
    own = auth.get("InvocationHttpParameters") or {}
    query = {**of_target.get("query", {}), **_pairs(own.get("QueryStringParameters"))}
    headers = {**_OWN_HEADERS, **of_target.get("headers", {}), **_pairs(own.get("HeaderParameters"))}
    return WebRequest(
        url=_url(endpoint, of_target.get("path", ()), query),
        headers={**headers, **_authorization(auth)},
        body=b"" if method in _WITHOUT_BODY else _body(text, _pairs(own.get("BodyParameters"))),
        method=method,
    )


def _authorization(auth: Mapping[str, Any]) -> dict[str, str]:
    if "BasicAuthParameters" in auth:
        basic = auth["BasicAuthParameters"]
        return {"Authorization": _basic(basic["Username"], basic["Password"])}
    if "ApiKeyAuthParameters" in auth:
        return {auth["ApiKeyAuthParameters"]["ApiKeyName"]: auth["ApiKeyAuthParameters"]["ApiKeyValue"]}
    return {"Authorization": f"Bearer {auth['token']}"} if "token" in auth else {}


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _pairs(given: Sequence[Mapping[str, Any]] | None) -> dict[str, str]:
    return {one["Key"]: one.get("Value", "") for one in given or ()}


def _url(endpoint: str, path: Sequence[str], query: Mapping[str, str]) -> str:
    """Each asterisk of the endpoint is the next path parameter."""
    pieces = endpoint.split("*")
    values = [quote(value, safe="") for value in path]
    filled = pieces[0]
    for place, piece in enumerate(pieces[1:]):
        filled += (values[place] if place < len(values) else "*") + piece
    parts = urlsplit(filled)
    asked = [*parse_qsl(parts.query, keep_blank_values=True), *query.items()]
    return urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(asked), ""))


def _body(text: str, added: Mapping[str, str]) -> bytes:
    """The connection's body parameters are members of a JSON object."""
    if not added:
        return text.encode()
    try:
        document = json_values.parse(text)
    except ValueError:
        return text.encode()
    return compact({**document, **added}).encode() if isinstance(document, dict) else text.encode()


def token_request(oauth: Mapping[str, Any]) -> WebRequest:
    """Asks the authorisation endpoint for a token: RFC 6749, 4.4, client id and secret in the form."""
    client, more = oauth["ClientParameters"], oauth.get("OAuthHttpParameters") or {}
    form = {
        "grant_type": "client_credentials",
        "client_id": client["ClientID"],
        "client_secret": client["ClientSecret"],
        **_pairs(more.get("BodyParameters")),
    }
    query, method = _pairs(more.get("QueryStringParameters")), oauth["HttpMethod"]
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    return WebRequest(
        url=_url(oauth["AuthorizationEndpoint"], (), {**query, **form} if method == "GET" else query),
        headers={"User-Agent": _OWN_HEADERS["User-Agent"], **headers, **_pairs(more.get("HeaderParameters"))},
        body=b"" if method == "GET" else urlencode(form).encode(),
        method=method,
        answer_bytes=_TOKEN_BYTES,
    )
