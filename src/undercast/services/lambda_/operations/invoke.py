"""Invoke: run a function and wait, queue an event for it, or only check that it could be.

An event is one row of the outbox, committed before the 202; its request id is the one that the function sees.
AWS: Lambda API Reference, Invoke, InvokeAsync; Developer Guide, "Lambda quotas" (payloads).
"""

import base64
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from undercast.core import json_text, json_values
from undercast.core.config import Profile
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, Reply, operation
from undercast.events.delivery import Delivery
from undercast.sandbox.model import Invocation
from undercast.sandbox.response_stream import ResponseStream
from undercast.services.lambda_.catalog import Resolved
from undercast.services.lambda_.errors import too_large, user_error
from undercast.services.lambda_.execution import parent_of, run, version_to_run
from undercast.services.lambda_.instance import Lambda
from undercast.services.lambda_.lineage import attributes_of
from undercast.services.lambda_.tracing import HEADER, trace_header
from undercast.services.unparsed import reason

MAX_SYNC_BYTES = 6_291_456
EVENT_BYTES: Mapping[str, int] = MappingProxyType({"current": 1_048_576, "2019": 262_144})
"""Payload of InvocationType Event, by profile: 256 KB until October 2025."""
MAX_INVOKE_ASYNC_BYTES = 262_144
MAX_CLIENT_CONTEXT_CHARACTERS = 3583
KIND = "lambda"
_JSON: Mapping[str, str] = MappingProxyType({"content-type": "application/json"})


@operation("Invoke")
async def invoke(functions: Lambda, ctx: RequestContext, params: Params) -> Reply:
    """The three invocation types. A function error is a 200 with FunctionError."""
    payload: bytes = params.get("Payload") or b"{}"
    invocation_type = params.get("InvocationType", "RequestResponse")
    await check_payload(payload, invocation_type, functions.profile)
    resolved = functions.catalog.peek(ctx.scope, params["FunctionName"], params.get("Qualifier"))
    if resolved is None:
        resolved = await resolve(functions, ctx, params)
    if invocation_type == "DryRun":
        return Reply(output={"StatusCode": 204}, status=204)
    if invocation_type == "Event":
        await _queue(functions, ctx, resolved, payload, _client_context(params))
        return Reply(output={"StatusCode": 202}, status=202)
    invocation = invocation_of(functions, ctx, params, resolved)
    result = await run(functions, resolved, invocation, parent_of(ctx.cause))
    version = invocation.function.version
    output: dict[str, Any] = {"StatusCode": 200, "ExecutedVersion": version, "Payload": result.payload}
    if result.function_error is not None:
        output["FunctionError"] = result.function_error
    if invocation.tail_log:
        output["LogResult"] = base64.b64encode(result.log_tail).decode()
    return Reply(output=output, headers=_JSON)


async def resolve(functions: Lambda, ctx: RequestContext, params: Params) -> Resolved:
    """What FunctionName and Qualifier mean. Raises ResourceNotFoundException."""
    return await functions.catalog.resolve(ctx.scope, params["FunctionName"], params.get("Qualifier"))


def invocation_of(
    functions: Lambda,
    ctx: RequestContext,
    params: Params,
    resolved: Resolved,
    stream: ResponseStream | None = None,
) -> Invocation:
    """The invocation that a synchronous request asks for. Raises InvalidRequestContentException."""
    function = version_to_run(functions, resolved)
    trace = trace_header(ctx.headers.get(HEADER, ""), ctx.ids, ctx.clock.now(), active=function.traces_actively)
    return Invocation(
        request_id=ctx.request_id,
        function=function,
        payload=params.get("Payload") or b"{}",
        invoked_arn=resolved.invoked_arn,
        cause=ctx.cause,
        trace_header=trace,
        client_context=_client_context(params),
        tail_log=params.get("LogType") == "Tail",
        stream=stream,
    )


@operation("InvokeAsync")
async def invoke_async(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The oldest way to queue an event; still served."""
    args = params["InvokeArgs"]
    length = len(args) if isinstance(args, bytes) else args.length
    if length is not None and length > MAX_INVOKE_ASYNC_BYTES:
        raise _payload_too_large(length, "Event", MAX_INVOKE_ASYNC_BYTES)
    payload = args if isinstance(args, bytes) else await args.read(MAX_INVOKE_ASYNC_BYTES)
    await check_payload(payload or b"{}", "Event", functions.profile)
    resolved = await functions.catalog.resolve(ctx.scope, params["FunctionName"])
    await _queue(functions, ctx, resolved, payload or b"{}", "")
    return {"Status": 202}


async def _queue(
    functions: Lambda, ctx: RequestContext, resolved: Resolved, payload: bytes, client_context: str
) -> None:
    attributes = attributes_of(functions.lineages.of(parent_of(ctx.cause)))
    if client_context:
        attributes["client_context"] = client_context
    active = resolved.function.traces_actively
    attributes["trace_header"] = trace_header(ctx.headers.get(HEADER, ""), ctx.ids, ctx.clock.now(), active=active)
    delivery = Delivery(
        id=ctx.request_id,
        kind=KIND,
        target_arn=resolved.invoked_arn,
        payload=payload,
        scope=resolved.scope,
        created_at=ctx.clock.now(),
        cause=ctx.cause,
        attributes=attributes,
    )
    await functions.database.write(lambda tx: functions.outbox.add(tx, delivery))


async def check_payload(payload: bytes, invocation_type: str, profile: Profile) -> None:
    """Raises RequestTooLargeException, InvalidRequestContentException."""
    if len(payload) > MAX_SYNC_BYTES:
        raise too_large(f"Request must be smaller than {MAX_SYNC_BYTES} bytes for the InvokeFunction operation")
    if invocation_type == "Event" and len(payload) > EVENT_BYTES[profile]:
        raise _payload_too_large(len(payload), "Event", EVENT_BYTES[profile])
    try:
        text = payload.decode()
        if len(text) <= json_text.SMALL_CHARACTERS:
            json_text.check_small(text)
        else:
            await json_text.check(text)
    except ValueError as error:
        raise user_error(
            "InvalidRequestContentException",
            f"Could not parse request body into json: Could not parse payload into json: {reason(error)}",
        ) from error


def _payload_too_large(size: int, invocation_type: str, limit: int) -> ServiceError:
    return too_large(
        f"{size} byte payload is too large for the {invocation_type} invocation type (limit {limit} bytes)"
    )


def _client_context(params: Params) -> str:
    """The JSON inside, on one line, as it travels in the Runtime API's header; "" for none.

    Invoke's reference gives the limit and no texts: both texts are ours.
    """
    encoded = params.get("ClientContext")
    if not encoded:
        return ""
    if len(encoded) > MAX_CLIENT_CONTEXT_CHARACTERS:
        text = f"ClientContext has {len(encoded)} characters; the limit is {MAX_CLIENT_CONTEXT_CHARACTERS}."
        raise user_error("InvalidRequestContentException", text)
    try:
        return json.dumps(json_values.parse(base64.b64decode(encoded, validate=True)), separators=(",", ":"))
    except (ValueError, RecursionError) as error:
        raise user_error(
            "InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object."
        ) from error
