"""Invocations whose answer is passed on piece by piece: InvokeWithResponseStream, and function URLs that stream.

An invocation runs on when its caller leaves; `Streams` owns it until it ends.
AWS: Lambda Developer Guide, "Response streaming for Lambda functions".
"""

import asyncio
from collections.abc import AsyncIterator

from undercast.core.record import record
from undercast.sandbox.model import Invocation, InvocationResult
from undercast.sandbox.response_stream import ResponseStream, paced
from undercast.services.lambda_.catalog import Resolved
from undercast.services.lambda_.execution import run
from undercast.services.lambda_.instance import Lambda


@record
class Streaming:
    """An invocation whose answer has begun, or is there."""

    stream: ResponseStream
    pieces: AsyncIterator[bytes]
    """What the runtime sends; nothing where it does not stream."""
    running: "asyncio.Task[InvocationResult]"

    async def result(self) -> InvocationResult:
        """How it ended, behind the last piece. The payload is the whole answer where the runtime did not stream."""
        return await asyncio.shield(self.running)


async def begin(functions: Lambda, resolved: Resolved, invocation: Invocation, parent_id: str) -> Streaming:
    """Run it until its answer begins. Raises what `execution.run` raises when it never does."""
    stream = invocation.stream
    assert stream is not None, "the invocation was made to stream"
    running = functions.streams.own(run(functions, resolved, invocation, parent_id))
    running.add_done_callback(lambda _: stream.end())
    await stream.opened()
    if not stream.begun:
        await asyncio.shield(running)
    pieces = stream.pieces()
    return Streaming(stream=stream, pieces=paced(pieces) if functions.streams.paced else pieces, running=running)
