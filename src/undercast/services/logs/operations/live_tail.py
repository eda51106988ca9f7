"""Live tail.

AWS: CloudWatch Logs API Reference, StartLiveTail.
"""

from collections.abc import Callable

from undercast.core.context import RequestContext
from undercast.core.service import Params, Reply, operation
from undercast.services.logs.errors import invalid
from undercast.services.logs.followers import GroupName
from undercast.services.logs.instance import Logs, offering_group
from undercast.services.logs.live_tail import LiveTail, Wanted
from undercast.services.logs.models import group_of_arn
from undercast.services.logs.pattern import compile_pattern
from undercast.store.database import Tx


@operation("StartLiveTail")
async def start_live_tail(logs: Logs, ctx: RequestContext, params: Params) -> Reply:
    """Begin a session; its events follow until the client goes, or for three hours."""
    identifiers = params["logGroupIdentifiers"]
    names, prefixes = params.get("logStreamNames"), params.get("logStreamNamePrefixes")
    if names and prefixes:
        raise invalid("logStreamNames and logStreamNamePrefixes are mutually exclusive.")
    if (names or prefixes) and len(identifiers) > 1:
        raise invalid("Log streams can be named for a single log group only.")
    if any(identifier.endswith("*") for identifier in identifiers):
        raise invalid("The ARN of a log group cannot end with an asterisk.")
    groups = [GroupName(ctx.scope, group_of_arn(ctx.scope, identifier)) for identifier in identifiers]
    matches = compile_pattern(params.get("logEventFilterPattern"))

    def check(tx: Tx) -> None:
        for group in groups:
            offering_group(tx, ctx, group.group)

    await logs.journal.read(check)
    wanted = Wanted(groups=groups, matches=matches, stream_matches=_streams(names, prefixes))
    start = {
        "requestId": ctx.request_id,
        "sessionId": ctx.ids.uuid(),
        "logGroupIdentifiers": identifiers,
        "logStreamNames": names or [],
        "logStreamNamePrefixes": prefixes or [],
        "logEventFilterPattern": params.get("logEventFilterPattern", ""),
    }
    tail = LiveTail(wanted, logs.intake.followers, ctx.host_clock)
    return Reply(output={"responseStream": logs.live_tails.run(tail, start)})


def _streams(names: list[str] | None, prefixes: list[str] | None) -> Callable[[str], bool]:
    if names:
        known = frozenset(names)
        return lambda name: name in known
    if prefixes:
        beginnings = tuple(prefixes)
        return lambda name: name.startswith(beginnings)
    return lambda name: True
