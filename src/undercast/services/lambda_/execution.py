"""One attempt to run a function: concurrency, recursion, and the way to the sandbox.

The hot path: no store read, no store write. Used by Invoke and by the asynchronous target alike.
AWS: Lambda Developer Guide, "Understanding Lambda function scaling", "Use Lambda recursive loop detection".
"""

from collections.abc import Mapping
from types import MappingProxyType

from undercast.core.context import Cause
from undercast.core.errors import ServiceError
from undercast.core.tasks import not_begun
from undercast.sandbox.model import FunctionVersion, Invocation, InvocationResult
from undercast.services.lambda_.catalog import Resolved
from undercast.services.lambda_.errors import user_error
from undercast.services.lambda_.instance import Lambda
from undercast.services.lambda_.lineage import Chain, looping, merged, of_header, with_chain
from undercast.services.lambda_.tracing import SAMPLED, is_traced, traced

NO_CHAIN: Mapping[str, int] = MappingProxyType({})
RECURSIVE = "RecursiveInvocationException"


def version_to_run(functions: Lambda, resolved: Resolved) -> FunctionVersion:
    """The version, or for an alias with routing one of its two by chance."""
    return resolved.function if resolved.other is None else resolved.pick(functions.ids.random())


async def run(
    functions: Lambda, resolved: Resolved, invocation: Invocation, parent_id: str, carried: Chain = NO_CHAIN
) -> InvocationResult:
    """Run it. `parent_id` is the invocation that led to this one, `carried` what its delivery says of the chain.

    Raises TooManyRequestsException, RecursiveInvocationException, or what the sandbox raises; NotBegun where the caller
    is cancelled before an environment has it.
    """
    if SAMPLED in invocation.trace_header and is_traced(invocation.function, functions.profile):
        invocation = traced(invocation, functions.ids, functions.clock.now())
    function = invocation.function
    said = of_header(invocation.trace_header)
    chain = functions.lineages.extend(parent_id, function.arn, merged(said, carried) if carried else said)
    if looping(chain, function.arn) and not resolved.recursion_allowed:
        functions.measures.note(invocation.invoked_arn, "RecursiveInvocationsDropped", 1.0)
        raise recursive()
    lanes = resolved.lanes[function.version]
    try:
        lane = functions.concurrency.enter(lanes, synchronous=invocation.synchronous)
    except ServiceError:
        functions.measures.throttled(invocation)
        raise
    row = functions.measures.begin(invocation)
    invocation = invocation.measured(with_chain(invocation.trace_header, chain), row)
    if len(lanes) > 1:
        functions.measures.provisioned(row, lane if lane is lanes[0] else None)
    functions.code.hold(function.code_sha256)
    for layer in function.layers:
        functions.code.hold(layer.name)
    functions.lineages.remember(invocation.request_id, chain)
    try:
        if function.live:
            with not_begun():
                invocation = await functions.hot_reload.current(invocation)
        result = await functions.environments.invoke(invocation)
        functions.measures.end(row, result)
        functions.unable.ran(function)
        return result
    except ServiceError as error:
        functions.unable.note(function, error)
        raise
    finally:
        functions.code.drop(function.code_sha256)
        for layer in function.layers:
            functions.code.drop(layer.name)
        functions.measures.leave(row)
        functions.concurrency.leave(lane)


def recursive() -> ServiceError:
    """The text of the model's RecursiveInvocationException."""
    return user_error(
        RECURSIVE,
        "Lambda has detected your function being invoked in a recursive loop with other AWS resources "
        "and stopped your function's invocation.",
    )


def parent_of(cause: Cause) -> str:
    """The invocation that a request comes from, if it comes from one."""
    return cause.id if cause.kind == "invocation" else ""
