"""Recursion detection: how often a function occurs in the chain of requests that led to an invocation.

Every invocation has at most one parent, the invocation that caused the request or event. The last invocations are
remembered in memory; deliveries that Lambda writes itself carry the chain with them.
AWS: Lambda Developer Guide, "Use Lambda recursive loop detection to prevent infinite loops" (16 times).
"""

from collections import OrderedDict
from collections.abc import Mapping

MAX_LOOPS = 16
REMEMBERED = 16_384
"""Invocations whose chain is known. A chain that outlives this number of others is counted from its start again."""
_ATTRIBUTE = "lineage"

Chain = Mapping[str, int]
"""Function ARN -> how often it ran in this chain, the invocation itself included."""


class Lineages:
    """The chains of the last invocations, by request id."""

    def __init__(self) -> None:
        self._chains: OrderedDict[str, Chain] = OrderedDict()

    def extend(self, parent_id: str, function_arn: str, carried: str = "") -> Chain:
        """The chain of a new invocation of the function. `carried` is what `encode` put into its delivery."""
        chain = decode(carried) if carried else self._chains.get(parent_id)
        if not chain:
            return {function_arn: 1}
        return {**chain, function_arn: chain.get(function_arn, 0) + 1}

    def of(self, request_id: str) -> Chain:
        """The chain of a remembered invocation; empty for others."""
        return self._chains.get(request_id, {})

    def remember(self, request_id: str, chain: Chain) -> None:
        """Know the chain for what the invocation will cause."""
        self._chains[request_id] = chain
        if len(self._chains) > REMEMBERED:
            self._chains.popitem(last=False)


def looping(chain: Chain, function_arn: str) -> bool:
    """Whether AWS would stop this invocation."""
    return chain[function_arn] > MAX_LOOPS


def encode(chain: Chain) -> dict[str, str]:
    """Delivery attributes that carry a chain."""
    return {_ATTRIBUTE: ",".join(f"{arn}={count}" for arn, count in chain.items())} if chain else {}


def carried_by(attributes: Mapping[str, str]) -> str:
    """The encoded chain of a delivery, or ""."""
    return attributes.get(_ATTRIBUTE, "")


def decode(text: str) -> Chain:
    """What `encode` wrote."""
    chain: dict[str, int] = {}
    for part in text.split(","):
        arn, _, count = part.rpartition("=")
        if arn and count.isdigit():
            chain[arn] = int(count)
    return chain
