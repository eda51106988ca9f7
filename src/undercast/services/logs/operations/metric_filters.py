"""Metric filters: what a pattern finds in messages.

AWS: CloudWatch Logs API Reference, TestMetricFilter.
"""

from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import Params, operation
from undercast.services.logs.instance import Logs
from undercast.services.logs.pattern import compile_pattern, extracted


@operation("TestMetricFilter")
async def test_metric_filter(logs: Logs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The messages that match, each with its place and what the pattern takes out of it."""
    matches, found = compile_pattern(params["filterPattern"]), extracted(params["filterPattern"])
    return {
        "matches": [
            {"eventNumber": number, "eventMessage": message, "extractedValues": dict(found(message))}
            for number, message in enumerate(params["logEventMessages"], start=1)
            if matches(message)
        ]
    }
