"""The trace header that every invocation has, with or without X-Ray.

Pure. AWS: X-Ray Developer Guide, "Tracing header"; Lambda sends it as Lambda-Runtime-Trace-Id to every runtime.
"""

from undercast.core.ids import Ids

HEADER = "x-amzn-trace-id"


_DECISIONS = ("Sampled=0", "Sampled=1")


def trace_header(incoming: str, ids: Ids, now: float, *, active: bool) -> str:
    """The caller's header when it names a trace, else the root of a new one.

    Who called decides whether the trace is sampled. Where nobody has, a function of Mode Active samples each (AWS:
    the first request of each second and 5 % of the rest), one of Mode PassThrough none.
    """
    if not incoming:
        return _new(ids, now, active)
    fields = [field for field in incoming.split(";") if field]
    if not any(field.startswith("Root=") for field in fields):
        return _new(ids, now, active)
    if not active or any(field.strip() in _DECISIONS for field in fields):
        return incoming
    undecided = [field for field in fields if not field.strip().startswith("Sampled=")]
    return ";".join([*undecided, "Sampled=1"])


def _new(ids: Ids, now: float, active: bool) -> str:
    digits = ids.hex(40)
    return f"Root=1-{int(now):08x}-{digits[:24]};Parent={digits[24:]};Sampled={'1' if active else '0'}"
