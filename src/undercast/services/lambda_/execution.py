"""One attempt to run a function: concurrency, recursion, and the way to the sandbox.

The hot path: no store read, no store write. Used by Invoke and by the asynchronous target alike.
AWS: Lambda Developer Guide, "Understanding Lambda function scaling", "Use Lambda recursive loop detection".
"""

from dataclasses import dataclass

from undercast.core.context import Cause
from undercast.core.errors import ServiceError
from undercast.sandbox.model import FunctionVersion, Invocation, InvocationResult
from undercast.services.lambda_.catalog import Resolved
from undercast.services.lambda_.errors import user_error
from undercast.services.lambda_.instance import Lambda
from undercast.services.lambda_.lineage import looping


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What is to be run, and on whose behalf."""

    request_id: str
    payload: bytes
    cause: Cause
    parent_id: str = ""
    """Request id of the invocation that led to this one."""
    carried_chain: str = ""
    client_context: str = ""
    trace_header: str = ""
    tail_log: bool = False
    synchronous: bool = True


@dataclass(frozen=True, slots=True)
class Ran:
    """The version that ran and its answer."""

    function: FunctionVersion
    result: InvocationResult


async def run(functions: Lambda, resolved: Resolved, attempt: Attempt) -> Ran:
    """Raises TooManyRequestsException, RecursiveInvocationException, or what the sandbox raises."""
    function = resolved.function if resolved.other is None else resolved.pick(functions.ids.random())
    chain = functions.lineages.extend(attempt.parent_id, function.arn, attempt.carried_chain)
    if looping(chain, function.arn) and not resolved.recursion_allowed:
        raise recursive()
    functions.concurrency.enter(function.arn, resolved.scope, resolved.reserved, resolved.unreserved_limit)
    functions.code.hold(function.code_sha256)
    functions.lineages.remember(attempt.request_id, chain)
    try:
        result = await functions.environments.invoke(
            Invocation(
                request_id=attempt.request_id,
                function=function,
                payload=attempt.payload,
                invoked_arn=resolved.invoked_arn,
                cause=attempt.cause,
                trace_header=attempt.trace_header,
                client_context=attempt.client_context,
                tail_log=attempt.tail_log,
                synchronous=attempt.synchronous,
            )
        )
    finally:
        functions.code.drop(function.code_sha256)
        functions.concurrency.leave(function.arn, resolved.scope, resolved.reserved)
    return Ran(function, result)


def recursive() -> ServiceError:
    """The text of the model's RecursiveInvocationException."""
    return user_error(
        "RecursiveInvocationException",
        "Lambda has detected your function being invoked in a recursive loop with other AWS resources "
        "and stopped your function's invocation.",
    )


def parent_of(cause: Cause) -> str:
    """The invocation that a request comes from, if it comes from one."""
    return cause.id if cause.kind == "invocation" else ""
