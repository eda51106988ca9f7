"""The trace header that every invocation has, with or without X-Ray.

Pure. AWS: X-Ray Developer Guide, "Tracing header"; Lambda sends it as Lambda-Runtime-Trace-Id to every runtime.
"""

from undercast.core.ids import Ids

HEADER = "x-amzn-trace-id"


def trace_header(incoming: str, ids: Ids, now: float) -> str:
    """The caller's header when it names a trace, else the root of a new one that is not sampled."""
    if "Root=" in incoming:
        return incoming
    digits = ids.hex(40)
    return f"Root=1-{int(now):08x}-{digits[:24]};Parent={digits[24:]};Sampled=0"
