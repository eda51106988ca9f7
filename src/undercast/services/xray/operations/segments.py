"""PutTraceSegments, PutTelemetryRecords: what programs and daemons send.

AWS: X-Ray API Reference, PutTraceSegments, PutTelemetryRecords.
"""

import json
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import Params, operation
from undercast.services.xray import store
from undercast.services.xray.documents import Malformed, Received, received
from undercast.services.xray.instance import XRay


@operation("PutTraceSegments")
async def put_trace_segments(xray: XRay, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Documents that are wrong are named in the answer; the others are kept."""
    good: list[Received] = []
    bad: list[dict[str, str]] = []
    for text in params["TraceSegmentDocuments"]:
        try:
            good.append(received(text))
        except Malformed as error:
            entry = {"ErrorCode": error.code, "Message": str(error)}
            bad.append({**({"Id": error.id} if error.id else {}), **entry})
    if good:
        await xray.intake.keep(ctx.scope, good)
    return {"UnprocessedTraceSegments": bad}


@operation("PutTelemetryRecords")
async def put_telemetry_records(xray: XRay, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Kept with the traces; X-Ray has no operation that reads them."""
    source = {name: params[name] for name in ("EC2InstanceId", "Hostname", "ResourceARN") if name in params}
    records = [
        json.dumps({**source, **record}, default=lambda value: value.timestamp())
        for record in params["TelemetryRecords"]
    ]
    await xray.journal.write(lambda tx: store.add_telemetry(tx, ctx.scope, records, ctx.clock.now()))
    return {}
