"""Compares what a client parsed with what it was answered, and what arrived with what it asked.

Names are compared without case (Go exports them). A member that the SDK's version does not have is passed over: Go and
Java print null for every member that they have and did not get.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conformance.botocore_side import model_of
from tests.conformance.sdks.conversation import REQUEST_ID, Case, Exchange, tagged
from tests.conformance.test_round_trip import SUPERSEDED
from undercast.wire.model import Shape, catalogue

LEFT_OUT = Path(__file__).with_name("left_out.json")
"""client -> service -> its number of cases and its `left_out`, exactly: what else a client leaves out fails by name."""
NOT_SENT = "InvalidParameter"
"""Go's SDK refuses by itself what was not allowed at its time."""
EMPTY: tuple[Any, ...] = (None, {}, [])


def assert_all_well(client: str, services: Sequence[str], exchanges: Sequence[Exchange]) -> None:
    """No exchange has a problem, and of these services all took place that left_out.json does not leave out.

    It holds how many cases each has for this client, too.
    """
    found = [(one.case.operation, problem) for one in exchanges for problem in problems(one)]
    assert found == [], found[:5]
    expected = json.loads(LEFT_OUT.read_text(encoding="utf-8"))[client]
    assert {one.case.service for one in exchanges} == set(services)
    for service in services:
        own = [one for one in exchanges if one.case.service == service]
        assert len(own) == expected[service]["cases"], f"{client}, {service}: {len(own)} cases"
        for kind, found_now in left_out(own).items():
            names = expected[service][kind]
            lost, won = Counter(found_now) - Counter(names), Counter(names) - Counter(found_now)
            assert not lost and not won, f"{client}, {service}, {kind}: new {[*lost]}, no more {[*won]}"


def left_out(exchanges: Sequence[Exchange]) -> dict[str, list[str]]:
    """What a client did not do of one service's cases, by name; and the protocols of what it did."""
    unsent = [one for one in exchanges if _is_unsent(one)]
    return {
        "unknown operations": sorted({one.case.operation for one in exchanges if one.result.get("unknown")}),
        "not sent": sorted(_label(one.case) for one in unsent),
        "protocols": sorted({one.heard.protocol for one in exchanges if one.heard}),
    }


def _label(case: Case) -> str:
    """An operation, once for each edge of its values; or the exception that it was to be answered with."""
    return case.operation if case.error is None else f"{case.operation}: {case.error.code}"


def _is_unsent(exchange: Exchange) -> bool:
    return exchange.heard is None and exchange.result.get("error", {}).get("code") == NOT_SENT


def problems(exchange: Exchange) -> list[str]:
    """What is wrong with an exchange; empty when all is well, or the client has no such operation."""
    case, result, heard = exchange.case, exchange.result, exchange.heard
    if result.get("unknown") or _is_unsent(exchange):
        return []
    if result.get("failed") or heard is None:
        return [f"the client failed: {result}"]
    operation = SUPERSEDED.get(case.operation, case.operation)
    if heard.refusal or (heard.service, heard.operation) != (case.service, operation):
        return [f"understood as {heard}"]
    sent, given = (Comparison(known=names_of(result, side)) for side in ("input_names", "output_names"))
    if operation != case.operation:
        return []
    asked = result["asked"] if "asked" in result else tagged(case.input)
    found = list(sent.differences(asked, tagged(heard.params), "asked"))
    if case.error is not None:
        return found + list(error_problems(exchange))
    if "error" in result:
        return [*found, f"an error: {result['error']}"]
    if result["request_id"] != REQUEST_ID:
        found.append(f"request id {result['request_id']}")
    return found + list(output_problems(exchange, given))


def output_problems(exchange: Exchange, compared: "Comparison") -> Iterator[str]:
    """Members, the streamed body and the events of a result."""
    case, result = exchange.case, exchange.result
    expected = tagged(case.output)
    if "events" in result and case.events:
        yield from compared.differences(expected.pop(case.events), result["events"], "events")
    if "stream" in result:
        streamed = [item for item in expected.values() if isinstance(item, dict) and "$blob" in item]
        yield from compared.differences(streamed, [result["stream"]], "stream")
    yield from compared.differences(expected, result["output"], "output")


def error_problems(exchange: Exchange) -> Iterator[str]:
    """Code, message, status, request id and members of an exception."""
    case, got, heard = exchange.case, exchange.result.get("error"), exchange.heard
    error = case.error
    assert error is not None
    assert heard is not None
    if got is None:
        yield f"{error.code} was not an error: {exchange.result}"
        return
    codes = codes_of(case.service, error.code)
    if got["code"] not in codes:
        yield f"code {got['code']}, not one of {codes}: {got}"
    if got["message"] != error.message:
        yield f"message {got}"
    status = status_of(case.service, error.code) if heard.protocol == "query" else error.status
    if got["status"] not in (error.status, status) or got["request_id"] != REQUEST_ID:
        yield f"status or request id {got}"
    compared = Comparison(known=frozenset() if "asked" in exchange.result else None)
    yield from compared.differences(tagged(error.members), got.get("members") or {}, "error")


def codes_of(service: str, name: str) -> set[str]:
    """What a client may call an exception: its shape, its code, its code in a protocol that its service left."""
    shape = _exception(service, name)
    code = str((shape["error"] or {}).get("code", name))
    current: Any = model_of(service, catalogue().entries[service].protocols[0]).shape_for(name)
    return {name, code, str(current.error_code)}


def status_of(service: str, name: str) -> int:
    """The HTTP status in the query protocol."""
    shape = _exception(service, name)
    return int((shape["error"] or {}).get("httpStatusCode", 400))


def _exception(service: str, name: str) -> Shape:
    shape = catalogue().service(service).exception(name)
    assert shape is not None
    return shape


def names_of(result: Mapping[str, Any], side: str) -> frozenset[str] | None:
    """The members that a client has, where it says so; Go and Java print null for what they did not get."""
    if "asked" in result:
        return None if side == "input_names" else frozenset()
    return frozenset(name.lower() for name in result[side])


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How a value is compared. A member that is not there is missed when its name (lower case) is in `known`, or
    `known` is None."""

    known: frozenset[str] | None

    def differences(self, expected: Any, found: Any, where: str) -> Iterator[str]:
        """Where `found` is not what was expected."""
        if expected in EMPTY and found in EMPTY:
            return
        if isinstance(expected, dict) and isinstance(found, dict):
            yield from self._members(expected, found, where)
        elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
            for number, (one, other) in enumerate(zip(expected, found, strict=True)):
                yield from self.differences(one, other, f"{where}[{number}]")
        elif expected != found and expected is not None:
            yield f"{where}: {expected!r} became {found!r}"

    def _members(self, expected: dict[str, Any], found: dict[str, Any], where: str) -> Iterator[str]:
        lower = {name.lower(): item for name, item in found.items()}
        for name, item in expected.items():
            if name.lower() in lower:
                yield from self.differences(item, lower[name.lower()], f"{where}.{name}")
            elif self.known is None or name.lower() in self.known:
                yield from self.differences(item, None, f"{where}.{name}")
