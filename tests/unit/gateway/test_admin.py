"""The platform's own endpoints: who may ask, and what a reset takes."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes import FakeClock
from undercast.core.body import BodyStream
from undercast.core.http import HttpRequest, HttpResponse
from undercast.gateway.admin import Admin, AdminTools
from undercast.gateway.hosts import NOT_SERVED, HostNames

ELSEWHERE = "192.0.2.9"


class Ground:
    """A platform that only counts its resets."""

    def __init__(self) -> None:
        self.resets = 0
        self.retried: list[Sequence[str] | None] = []
        self.clock = FakeClock()
        self.kept: list[tuple[float, float]] = []
        nothing: Any = None
        self.admin = Admin(
            AdminTools(
                token="secret",
                host_names=HostNames(addresses=True),
                status=self._status,
                capabilities=dict,
                causality=nothing,
                platform_clock=self.clock,
                keep_offset=self._keep_offset,
                reset=self._reset,
                drained=nothing,
                dead=self._dead,
                retry=self._retry,
                outbox=nothing,
                opt_out=nothing,
                unregister=nothing,
                debug=nothing,
                images=nothing,
                code=nothing,
            )
        )

    async def _status(self) -> dict[str, Any]:
        return {"pid": 1}

    async def _keep_offset(self, offset_s: float) -> None:
        self.kept.append((offset_s, self.clock.offset_s))

    async def _reset(self) -> None:
        self.resets += 1

    async def _dead(self, most: int) -> list[dict[str, Any]]:
        return [{"id": str(number)} for number in range(most)]

    async def _retry(self, ids: Sequence[str] | None) -> Sequence[str]:
        self.retried.append(ids)
        return ids or ("every",)

    async def ask(self, request: HttpRequest) -> tuple[int, Any]:
        """Status and answer."""
        response: HttpResponse = await self.admin.handle(request)
        assert isinstance(response.body, bytes)
        return response.status, json.loads(response.body)


def request(method: str, path: str, *, peer: str, body: bytes = b"", **headers: str) -> HttpRequest:
    """One to the platform's own endpoints."""
    host = {"host": "192.0.2.1:4566", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return HttpRequest(method=method, target=path, headers=host, body=BodyStream.of(body), peer=peer)


async def test_another_machine_needs_the_token_for_everything() -> None:
    """Started beyond loopback: status and traces name functions, buckets, callers and folders."""
    ground = Ground()
    for path in ("/_undercast/status", "/_undercast/capabilities", "/_undercast/trace/x", "/_undercast/outbox"):
        status, answer = await ground.ask(request("GET", path, peer=ELSEWHERE))
        assert (status, answer["error"]) == (403, "Forbidden")
        assert "X-Undercast-Token" in answer["message"]
    asked = request("GET", "/_undercast/status", peer=ELSEWHERE, x_undercast_token="secret")
    assert await ground.ask(asked) == (200, {"pid": 1})


async def test_this_machine_reads_without_a_token_and_changes_with_it() -> None:
    """`undercast status` by any user of the machine; a change only by who reads the data folder."""
    ground = Ground()
    assert await ground.ask(request("GET", "/_undercast/status", peer="127.0.0.1")) == (200, {"pid": 1})
    assert (await ground.ask(request("POST", "/_undercast/reset", peer="127.0.0.1")))[0] == 403
    assert ground.resets == 0


@pytest.mark.parametrize("path", ["console", "status"])
async def test_a_page_of_a_host_that_leads_here_sees_nothing(path: str) -> None:
    """DNS rebinding: to the browser the platform is of the page's own origin, so it sends no Origin."""
    asked = request("GET", f"/_undercast/{path}", peer="127.0.0.1", host="evil.example:4566")
    status, answer = await Ground().ask(asked)
    assert (status, answer["error"], answer["message"]) == (403, "Forbidden", NOT_SERVED)


async def test_a_reset_takes_no_members() -> None:
    """One that names an account must not delete everybody's."""
    ground = Ground()
    for body in (b'{"account": "111111111111"}', b'{"region": "eu-west-1"}', b"account=1", b"[]"):
        asked = request("POST", "/_undercast/reset", peer="127.0.0.1", body=body, x_undercast_token="secret")
        status, answer = await ground.ask(asked)
        assert (status, answer["error"]) == (400, "BadRequest")
    assert ground.resets == 0
    for body in (b"", b"{}"):
        asked = request("POST", "/_undercast/reset", peer="127.0.0.1", body=body, x_undercast_token="secret")
        assert await ground.ask(asked) == (200, {"reset": True})
    assert ground.resets == 2


@pytest.mark.parametrize(
    "body", ["", "{}", '{"ids": []}', '{"ids": "1"}', '{"ids": [1]}', '{"all": false}', '{"all": 1, "ids": ["1"]}']
)
async def test_retried_is_what_was_named_or_all(body: str) -> None:
    """Anything else is refused: nobody wants all by mistake."""
    ground = Ground()
    path, token = "/_undercast/deliveries/retry", "secret"
    asked = request("POST", path, peer="127.0.0.1", body=body.encode(), x_undercast_token=token)
    status, answer = await ground.ask(asked)
    assert (status, ground.retried) == (400, []), answer
    for wish, ids in ({"all": True}, None), ({"ids": ["a", "b"]}, ["a", "b"]):
        asked = request("POST", path, peer="127.0.0.1", body=json.dumps(wish).encode(), x_undercast_token=token)
        assert (await ground.ask(asked))[0] == 200
        assert ground.retried.pop() == ids
    shown = await ground.ask(request("GET", "/_undercast/deliveries?limit=2", peer="127.0.0.1"))
    assert shown == (200, {"deliveries": [{"id": "0"}, {"id": "1"}]})


@pytest.mark.parametrize("token", ["", "secret"])
@pytest.mark.parametrize(("method", "path"), [("GET", "status"), ("GET", "trace/x"), ("POST", "reset")])
async def test_a_function_is_not_let_in(method: str, path: str, token: str) -> None:
    """Its listener is on this machine, and it may have found the token: the platform's endpoints are not for it."""
    ground = Ground()
    asked = request(method, f"/_undercast/{path}", peer="127.0.0.1", x_undercast_token=token)
    status, answer = await ground.ask(replace(asked, environment_id="e1"))
    assert (status, answer["error"], ground.resets) == (403, "Forbidden", 0)


async def test_an_advance_is_kept_before_the_clock_moves() -> None:
    """Else a kill in between would let the next start begin in the past of what it has written."""
    ground = Ground()
    for seconds in (60, 30.5):
        body = json.dumps({"advance_s": seconds}).encode()
        asked = request("POST", "/_undercast/clock", peer="127.0.0.1", body=body, x_undercast_token="secret")
        assert (await ground.ask(asked))[0] == 200
    assert ground.kept == [(60.0, 0.0), (90.5, 60.0)]
    assert ground.clock.offset_s == 90.5


@pytest.mark.parametrize(
    ("limit", "shown"), [("1", 1), ("1000", 1000), ("0", None), ("1001", None), ("-1", None), ("x", None), ("²", None)]
)
async def test_a_list_has_a_bound(limit: str, shown: int | None) -> None:
    """1 to 1,000 of the newest; whatever else is refused."""
    asked = request("GET", f"/_undercast/deliveries?limit={limit}", peer="127.0.0.1")
    status, answer = await Ground().ask(asked)
    assert (status, len(answer.get("deliveries", ()))) == ((200, shown) if shown else (400, 0))
