"""AWS's public parameters, as far as their values are known: regions, services, endpoints, some image ids.

Read-only and the same for every account. `public.json` is dated; `tools/public_parameters.py` writes it from botocore's
endpoint data and from what AWS's documentation prints. What is not in it is not found.
AWS: Systems Manager User Guide, "Calling public parameters for AWS services, Regions, endpoints, ...", "Calling AMI
public parameters".
"""

import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

from undercast.core.arn import AccountId, Region, Scope
from undercast.services.ssm.models import Version

ROOT = "/aws/service/"
_PLACES = f"{ROOT}global-infrastructure"


class Known(NamedTuple):
    """What a parameter says, and since when."""

    value: str
    version: int
    modified_at: float


def is_public(name: str) -> bool:
    """Whether the name, or the path, is AWS's own."""
    return name.startswith(ROOT) or f"{name}/" == ROOT


def find(region: Region, name: str, selector: str) -> Version | None:
    """The parameter as it is in a region; of its versions only the newest is known."""
    known = _tree(region).get(name)
    if known is None or selector not in ("", str(known.version)):
        return None
    return _version(region, name, known)


def below(region: Region, prefix: str, after: str) -> Iterator[Version]:
    """Those whose name begins so, behind one, by name."""
    names, tree = _names(region), _tree(region)
    start = bisect_right(names, max(after, prefix))
    rest = takewhile(lambda name: name.startswith(prefix), (names[at] for at in range(start, len(names))))
    return (_version(region, name, tree[name]) for name in rest)


def _version(region: Region, name: str, known: Known) -> Version:
    return Version(
        scope=Scope(AccountId(""), region),  # the ARN of a public parameter names no account
        name=name,
        version=known.version,
        value=known.value,
        type="String",
        key_id="",
        data_key="",
        data_type="text",
        tier="Standard",
        description="",
        allowed_pattern="",
        policies="",
        applied=(),
        labels=(),
        modified_at=known.modified_at,
        modified_by="",
    )


@cache
def _data() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(Path(__file__).with_name("public.json").read_text("utf-8"))
    return found


@cache
def _infrastructure() -> Mapping[str, Known]:
    data = _data()
    dated = datetime.fromisoformat(f"{data['dated']}T00:00:00+00:00").timestamp()
    return {name: Known(value, 1, dated) for name, value in _places(data)}


def _places(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for region, (long_name, partition, domain) in data["regions"].items():
        path = f"{_PLACES}/regions/{region}"
        yield from ((path, region), (f"{path}/longName", long_name))
        yield from ((f"{path}/partition", partition), (f"{path}/domain", domain))
    for service, one in data["services"].items():
        yield f"{_PLACES}/services/{service}", service
        for region in one["regions"].split():
            yield f"{_PLACES}/services/{service}/regions/{region}", region
            host = one.get("hosts", {}).get(region, one["host"])
            path = f"{_PLACES}/regions/{region}/services/{service}"
            yield path, service
            yield f"{path}/endpoint", host.format(region=region, domain=data["regions"][region][2])


@cache
def _tree(region: Region) -> Mapping[str, Known]:
    images = {
        name: Known(value, version, datetime.fromisoformat(modified).timestamp())
        for of, name, value, version, modified in _data()["images"]
        if of == region
    }
    return {**_infrastructure(), **images} if images else _infrastructure()


@cache
def _names(region: Region) -> list[str]:
    return sorted(_tree(region))
