"""Provisioned concurrency configurations, and how many environments of which version they mean.

AWS: Lambda Developer Guide, "Configuring provisioned concurrency for a function".
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from undercast.core.arn import Scope
from undercast.services.lambda_ import store
from undercast.services.lambda_.models import Alias
from undercast.services.lambda_.names import number_of
from undercast.store.database import Tx


class Config(NamedTuple):
    """One provisioned concurrency configuration."""

    qualifier: str
    requested: int
    modified_at: float


def shares(config: Config, aliases: Mapping[str, Alias]) -> dict[int, int]:
    """Version number -> environments. An alias with routing shares its number by weight."""
    number = number_of(config.qualifier)
    if number is not None:
        return {number: config.requested}
    alias = aliases.get(config.qualifier)
    main = number_of(alias.version) if alias is not None else None
    if alias is None or main is None:
        return {}
    found = {main: config.requested}
    for version, weight in alias.weights.items():
        other = number_of(version)
        if other is not None:
            found[other] = math.floor(config.requested * weight)
            found[main] = config.requested - found[other]
    return {number: count for number, count in found.items() if number and count}


def wanted(configs: Iterable[Config], aliases: Mapping[str, Alias]) -> dict[int, int]:
    """Version number -> environments, of all configurations of a function."""
    total: Counter[int] = Counter()
    for config in configs:
        total.update(shares(config, aliases))
    return dict(total)


def read(tx: Tx, scope: Scope, name: str) -> tuple[list[Config], dict[str, Alias]]:
    """A function's configurations, and its aliases by name."""
    configs = [Config(*row) for row in store.provisioned(tx, scope, name)]
    return configs, {alias.alias: alias for alias in store.aliases(tx, scope, name)}
