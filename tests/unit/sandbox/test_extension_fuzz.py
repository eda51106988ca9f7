"""Whatever an extension sends is answered: malformed subscriptions and registrations raise what has a status."""

import contextlib
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import CountingIds
from undercast.sandbox.extensions import Extensions, Refused
from undercast.sandbox.extensions_api import events_of
from undercast.sandbox.log_levels import LEVELS, passing
from undercast.sandbox.telemetry_api import Invalid, parse

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
ADDRESSES = st.text(max_size=30) | st.sampled_from(["http://sandbox.localdomain", "http://[", "http://sandbox:1"])
SUBSCRIPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "schemaVersion": VALUES | st.just("2022-07-01"),
        "types": VALUES | st.just(["platform"]),
        "buffering": VALUES | st.dictionaries(st.sampled_from(["maxItems", "maxBytes", "timeoutMs"]), VALUES),
        "destination": VALUES
        | st.fixed_dictionaries(
            {"protocol": st.sampled_from(["HTTP", "TCP"])},
            optional={"URI": VALUES | ADDRESSES, "port": VALUES, "method": VALUES},
        ),
    },
)


@given(SUBSCRIPTIONS | VALUES, st.sampled_from(["telemetry", "logs"]))
def test_any_subscription_is_taken_or_invalid(body: Any, api: Any) -> None:
    """400 with a text, or a subscription within AWS's limits to a port of the environment."""
    with contextlib.suppress(Invalid):
        destination = parse(api, json.dumps(body).encode()).destination
        assert 1 <= destination.port <= 65_535
        assert destination.port != 9001
        assert 1_000 <= destination.max_items <= 10_000
        assert 262_144 <= destination.max_bytes <= 1_048_576
        assert 0.025 <= destination.timeout_s <= 30
        assert destination.path.isascii()
        assert "\r" not in destination.path
        assert "\n" not in destination.path


@given(st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_body_of_a_registration_is_taken_or_refused(body: bytes) -> None:
    """403 by AWS's type, or event names; unknown ones are refused by name."""
    extensions = Extensions(CountingIds(), lambda: None)
    extensions.restart(("x",))
    with contextlib.suppress(Refused):
        extensions.register("x", events_of(body))
        assert set(extensions.by_name["x"].events) <= {"INVOKE", "SHUTDOWN"}


@given(st.lists(st.text() | VALUES.map(json.dumps), max_size=5), st.sampled_from(LEVELS))
def test_any_line_has_a_level(lines: list[str], least: str) -> None:
    """What passes is a part of what was written, in its order."""
    rest = iter(lines)
    assert all(line in rest for line in passing(lines, least))
