"""Requests as operations see them."""

from dataclasses import fields, replace
from typing import Any

from undercast.core.context import RequestContext


def test_a_call_within_a_request_keeps_all_that_is_the_callers() -> None:
    """Whatever a context has: only what belongs to the one call is another's, and via says who asks."""
    given: dict[str, Any] = {one.name: object() for one in fields(RequestContext)}
    ctx = RequestContext(**given)
    own: dict[str, Any] = {
        "request_id": "r",
        "service": "s3",
        "operation": "GetObject",
        "refusals": {},
        "is_form": False,
    }
    unsigned: dict[str, Any] = {"signature_version": 4, "signed_by": "header", "signed_at": "", "tls_version": ""}
    inner = replace(ctx, **own, **unsigned, via=ctx.service)
    assert inner == ctx.within("s3", "GetObject", "r")
