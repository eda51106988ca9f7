"""InvokeWithResponseStream: the answer as events, each as soon as the function has written it.

AWS: Lambda API Reference, InvokeWithResponseStream. A function error is told by InvokeComplete, with the error's JSON
as ErrorDetails; the reference does not say which codes there are, and ours is Invoke's FunctionError.
"""

import base64
from collections.abc import AsyncIterator
from typing import Any

from undercast.core.closing import Closing
from undercast.core.context import RequestContext
from undercast.core.service import Params, Reply, operation
from undercast.sandbox.response_stream import ResponseStream
from undercast.services.lambda_ import streaming
from undercast.services.lambda_.execution import parent_of
from undercast.services.lambda_.instance import Lambda
from undercast.services.lambda_.operations.invoke import check_payload, invocation_of, resolve


@operation("InvokeWithResponseStream")
async def invoke_with_response_stream(functions: Lambda, ctx: RequestContext, params: Params) -> Reply:
    """Begin an invocation; its events follow."""
    await check_payload(params.get("Payload") or b"{}", "RequestResponse", functions.profile)
    resolved = await resolve(functions, ctx, params)
    if params.get("InvocationType") == "DryRun":
        return Reply(output={"StatusCode": 204}, status=204)
    invocation = invocation_of(functions, ctx, params, resolved, ResponseStream())
    begun = await streaming.begin(functions, resolved, invocation, parent_of(ctx.cause))
    output = {
        "StatusCode": 200,
        "ExecutedVersion": invocation.function.version,
        "EventStream": Closing(_events(begun, tail=invocation.tail_log), begun.stream),
    }
    return Reply(output=output)


async def _events(begun: streaming.Streaming, *, tail: bool) -> AsyncIterator[dict[str, Any]]:
    async for piece in begun.pieces:
        yield {"PayloadChunk": {"Payload": piece}}
    result = await begun.result()
    complete: dict[str, Any] = {}
    if result.function_error is not None:
        complete = {"ErrorCode": result.function_error, "ErrorDetails": result.payload.decode(errors="replace")}
    elif not begun.stream.begun:
        yield {"PayloadChunk": {"Payload": result.payload}}
    if tail:
        complete["LogResult"] = base64.b64encode(result.log_tail).decode()
    yield {"InvokeComplete": complete}
