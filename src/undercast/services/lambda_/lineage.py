"""Recursion detection: how often a function occurs in the chain of requests that led to an invocation.

The chain travels in the trace header's field Lineage: each invocation gets it, AWS's SDKs put the header onto what a
function sends, and queues, topics and buckets keep it with a message. What a function causes directly is known without
the SDK's help: the last invocations are remembered in memory, and deliveries of Lambda's own carry the chain.
AWS: Lambda Developer Guide, "Use Lambda recursive loop detection to prevent infinite loops" (16 times); X-Ray Developer
Guide, "Tracing header" (Lineage=a87bd80c:1|68fd508a:5).
"""

import re
from collections import OrderedDict
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote
from zlib import crc32

MAX_LOOPS = 16
REMEMBERED = 16_384
"""Invocations whose chain is known. One that is pushed out is known only by what its SDK sends."""
MOST_FUNCTIONS = 32
"""Functions of a chain that are kept: the last ones that ran."""
_LONGEST_BYTES = 4096
"""Of a field that is looked at: more than `encode` writes, percent-encoded or not."""
_ATTRIBUTE = "lineage"
_FIELD = "Lineage="
_ENTRY = re.compile(r"([0-9a-f]{8}):(\d{1,6})", re.ASCII)

Chain = Mapping[str, int]
"""Mark of a function -> how often it ran in this chain, the invocation itself included; the last one at the end."""


class Lineages:
    """The chains of the last invocations, by request id."""

    def __init__(self) -> None:
        self._chains: OrderedDict[str, Chain] = OrderedDict()

    def extend(self, parent_id: str, function_arn: str, carried: Chain) -> Chain:
        """The chain of a new invocation of the function. `carried` is what its event or request says."""
        known, own = self._chains.get(parent_id), mark(function_arn)
        if not known and not carried:
            return {own: 1}
        chain = merged(known or {}, carried)
        count = chain.pop(own, 0) + 1
        while len(chain) >= MOST_FUNCTIONS:
            del chain[next(iter(chain))]
        return {**chain, own: count}

    def of(self, request_id: str) -> Chain:
        """The chain of a remembered invocation; empty for others."""
        return self._chains.get(request_id, {})

    def remember(self, request_id: str, chain: Chain) -> None:
        """Know the chain for what the invocation will cause."""
        self._chains[request_id] = chain
        if len(self._chains) > REMEMBERED:
            self._chains.popitem(last=False)


@lru_cache(maxsize=4096)
def mark(function_arn: str) -> str:
    """What stands for a function: eight hexadecimal digits, as AWS's have. AWS does not say what of."""
    return f"{crc32(function_arn.encode()):08x}"


def looping(chain: Chain, function_arn: str) -> bool:
    """Whether AWS would stop this invocation."""
    return chain[mark(function_arn)] > MAX_LOOPS


def merged(one: Chain, other: Chain) -> dict[str, int]:
    """Two accounts of one chain: each function as often as either has it."""
    found = dict(one)
    for own, count in other.items():
        found[own] = max(count, found.get(own, 0))
    return found


def shared(one: Chain, other: Chain) -> dict[str, int]:
    """What two messages of a batch have in common: no message counts for what another one has behind it."""
    return {own: min(count, other[own]) for own, count in one.items() if own in other}


def of_header(header: str) -> Chain:
    """The chain that a trace header carries. Some SDKs send its bars percent-encoded."""
    _, found, rest = header.partition(_FIELD)
    if not found:
        return {}
    return decode(unquote(rest[:_LONGEST_BYTES].partition(";")[0]))


def with_chain(header: str, chain: Chain) -> str:
    """The trace header with this chain instead of its own; as it is for none."""
    if not chain:
        return header
    if _FIELD in header:
        fields = (field for field in header.split(";") if not field.strip().startswith(_FIELD))
        header = ";".join(fields)
    return f"{header};{_FIELD}{encode(chain)}"


def encode(chain: Chain) -> str:
    """The value of the field Lineage."""
    last = chain.items() if len(chain) <= MOST_FUNCTIONS else tuple(chain.items())[-MOST_FUNCTIONS:]
    return "|".join([f"{own}:{count}" for own, count in last])


def decode(text: str) -> Chain:
    """What `encode` wrote, or AWS did. A function writes what it likes: no more is kept than a chain may have."""
    return {own: int(count) for own, count in _ENTRY.findall(text[:_LONGEST_BYTES])[-MOST_FUNCTIONS:]}


def attributes_of(chain: Chain) -> dict[str, str]:
    """Delivery attributes that carry a chain."""
    return {_ATTRIBUTE: encode(chain)} if chain else {}


def carried_by(attributes: Mapping[str, str]) -> Chain:
    """The chain of a delivery."""
    return decode(attributes.get(_ATTRIBUTE, ""))
