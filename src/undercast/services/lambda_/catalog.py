"""Functions as an invoke needs them, in memory: a warm invoke reads no row.

Filled on first use, forgotten when the commit that changes a function is done. While an update is in progress the
version before it is served. AWS: Lambda Developer Guide, "Lambda function states" (LastUpdateStatus).
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from undercast.core.arn import Scope
from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.core.service import Access
from undercast.sandbox.model import FunctionVersion
from undercast.services.lambda_ import snapstart, store
from undercast.services.lambda_.code import CodeStore
from undercast.services.lambda_.concurrency import ACCOUNT_LIMIT, Concurrency, Lane
from undercast.services.lambda_.errors import function_not_found, not_in_state
from undercast.services.lambda_.images.library import Images
from undercast.services.lambda_.models import ACTIVE, IN_PROGRESS, PENDING, Alias, Function, Version, executable
from undercast.services.lambda_.names import LATEST, Reference, number_of, parse_reference
from undercast.services.lambda_.package import UnsafePackage
from undercast.services.lambda_.provisioned import read, wanted
from undercast.store.database import Database, Tx

MAX_REMEMBERED = 10_000
DEFAULT_RETRIES = 2
DEFAULT_MAX_AGE_S = 21_600

ReferenceKey = tuple[Scope, str, str | None]
"""Scope, FunctionName and Qualifier as a request has them."""


@record
class Resolved:
    """What a FunctionName and Qualifier mean to an invoke."""

    scope: Scope
    function: FunctionVersion
    invoked_arn: str
    reserved: int | None
    lanes: Mapping[str, tuple[Lane, ...]]
    """Version -> where its invocations count: provisioned concurrency first, then the function's or the account's."""
    recursion_allowed: bool
    retries: int
    max_age_s: int
    destinations: Mapping[str, str]
    """"OnSuccess" and "OnFailure" -> ARN."""
    other: FunctionVersion | None = None
    """The second version of an alias with routing."""
    other_weight: float = 0.0

    def pick(self, chance: float) -> FunctionVersion:
        """The version that runs; `chance` is a random number in [0, 1)."""
        return self.other if self.other is not None and chance < self.other_weight else self.function


class Catalog:
    """Resolves names to what runs."""

    def __init__(self, database: Database, code: CodeStore, images: Images, concurrency: Concurrency) -> None:
        self._database = database
        self._images = images
        self._code = code
        self._concurrency = concurrency
        self._resolved: dict[ReferenceKey, Resolved] = {}
        self._guards: dict[ReferenceKey, tuple[Access, ...]] = {}
        self._serving: dict[tuple[Scope, str], FunctionVersion] = {}
        self._policies: dict[tuple[Scope, str, str], Mapping[str, Any] | None] = {}
        self._epoch = 0

    def peek(self, scope: Scope, function_name: str, qualifier: str | None) -> Resolved | None:
        """What is known already."""
        return self._resolved.get((scope, function_name, qualifier))

    async def resolve(self, scope: Scope, function_name: str, qualifier: str | None = None) -> Resolved:
        """What runs under this name. Raises ResourceNotFoundException, or ResourceConflictException while Pending."""
        if (known := self.peek(scope, function_name, qualifier)) is not None:
            return known
        reference = parse_reference(scope, function_name, qualifier)
        epoch = self._epoch
        resolved = self._database.read_now(lambda tx: self._load(tx, reference))
        for function in (resolved.function, resolved.other):
            for folder in _unpacked(function):
                if not self._code.present(folder.name):
                    await self._unpack_again(function, folder.name)
        if epoch == self._epoch:
            if len(self._resolved) >= MAX_REMEMBERED:
                self._resolved.clear()
            self._resolved[scope, function_name, qualifier] = resolved
        return resolved

    def policy(self, reference: Reference) -> Mapping[str, Any] | None:
        """The resource policy that guards a reference; one object until it changes, so that compiling it is cached."""
        qualifier = "" if reference.qualifier in (None, LATEST) else str(reference.qualifier)
        key = (reference.scope, reference.name, qualifier)
        if key not in self._policies:
            if len(self._policies) >= MAX_REMEMBERED:
                self._policies.clear()
            found = self._database.read_now(lambda tx: store.policy(tx, reference.scope, reference.name, qualifier))
            self._policies[key] = found[0] if found else None
        return self._policies[key]

    def guard(self, key: ReferenceKey, make: Callable[[], Access]) -> tuple[Access, ...]:
        """What invoking under this name needs, made once until something changes."""
        known = self._guards.get(key)
        if known is None:
            if len(self._guards) >= MAX_REMEMBERED:
                self._guards.clear()
            known = self._guards[key] = (make(),)
        return known

    def keep_serving(self, version: Version) -> None:
        """Before an update of $LATEST begins: go on serving this version until `settle`."""
        if version.state == ACTIVE:
            self._serving.setdefault((version.scope, version.name), executable(version, self._code.folder))

    def settle(self, scope: Scope, name: str) -> None:
        """An update is over."""
        self._serving.pop((scope, name), None)
        self.forget()

    def forget(self) -> None:
        """A function has changed; called after its commit."""
        self._epoch += 1
        self._resolved.clear()
        self._guards.clear()
        self._policies.clear()
        self._concurrency.forget_idle()

    def clear(self) -> None:
        """Rows were deleted behind our back (reset)."""
        self._serving.clear()
        self.forget()

    def _load(self, tx: Tx, reference: Reference) -> Resolved:
        scope, name = reference.scope, reference.name
        function = store.function(tx, scope, name)
        if function is None:
            raise function_not_found(reference.arn)
        alias = _alias_of(tx, reference)
        version, other, weight = self._versions(tx, reference, alias)
        qualifier = reference.qualifier or LATEST
        found = store.invoke_config(tx, scope, name, qualifier)
        settings = found[0] if found else {}
        return Resolved(
            scope=scope,
            function=version,
            invoked_arn=reference.arn,
            reserved=function.reserved_concurrency,
            lanes={one.version: self._lanes(tx, function, one.version) for one in (version, other) if one is not None},
            recursion_allowed=function.recursive_loop == "Allow",
            retries=settings.get("MaximumRetryAttempts", DEFAULT_RETRIES),
            max_age_s=settings.get("MaximumEventAgeInSeconds", DEFAULT_MAX_AGE_S),
            destinations=destinations_of(settings),
            other=other,
            other_weight=weight,
        )

    def _lanes(self, tx: Tx, function: Function, version: str) -> tuple[Lane, ...]:
        """AWS: provisioned concurrency is a part of the reserved one, or else of the account's."""
        scope, reserved = function.scope, function.reserved_concurrency
        provisioned = wanted(*read(tx, scope, function.name))
        found: list[Lane] = []
        if count := provisioned.get(number_of(version) or 0, 0):
            key = "provisioned", function.arn, version
            found.append(self._concurrency.lane(key, count, is_reserved=reserved is not None))
        if reserved is None:
            found.append(self._concurrency.lane(scope, ACCOUNT_LIMIT - store.claimed_elsewhere(tx, scope)))
        else:
            limit = max(0, reserved - sum(provisioned.values()))
            found.append(self._concurrency.lane(("reserved", function.arn), limit, is_reserved=True))
        return tuple(found)

    def _versions(
        self, tx: Tx, reference: Reference, alias: Alias | None
    ) -> tuple[FunctionVersion, FunctionVersion | None, float]:
        if alias is None:
            return self._version(tx, reference, reference.qualifier or LATEST), None, 0.0
        other, weight = None, 0.0
        for number, share in alias.weights.items():
            other, weight = self._version(tx, reference, number), share
        return self._version(tx, reference, alias.version), other, weight

    def _version(self, tx: Tx, reference: Reference, version: str) -> FunctionVersion:
        number = number_of(version)
        found = None if number is None else store.version(tx, reference.scope, reference.name, number)
        if found is None:
            raise function_not_found(reference.arn)
        if found.number == 0 and found.update_status == IN_PROGRESS:
            serving = self._serving.get((reference.scope, reference.name))
            if serving is not None:
                return serving
        if found.state == PENDING and snapstart.is_on(found.configuration, found.number):
            raise snapstart.not_ready()
        if found.state != ACTIVE:
            raise not_in_state(found.state)
        return executable(found, self._code.folder)

    async def _unpack_again(self, function: FunctionVersion | None, sha256: str) -> None:
        """The folder was deleted by hand; the zip, or the layers of the image, are still there."""
        if function is not None and function.container is not None:
            await self._images.restore(sha256)
            return
        try:
            await self._code.unpack(sha256)
        except UnsafePackage as error:
            text = "Lambda could not unzip the deployment package."
            raise ServiceError("InvalidZipFileException", text, 502) from error


def _unpacked(function: FunctionVersion | None) -> tuple[Path, ...]:
    """The folders that archives were unpacked into."""
    if function is None:
        return ()
    return function.layers if function.live else (function.code_dir, *function.layers)


def destinations_of(settings: Mapping[str, Any]) -> dict[str, str]:
    """ "OnSuccess" and "OnFailure" -> ARN, where one is set."""
    configured = settings.get("DestinationConfig") or {}
    return {name: target["Destination"] for name, target in configured.items() if target.get("Destination")}


def _alias_of(tx: Tx, reference: Reference) -> Alias | None:
    qualifier = reference.qualifier
    if qualifier is None or number_of(qualifier) is not None:
        return None
    alias = store.alias(tx, reference.scope, reference.name, qualifier)
    if alias is None:
        raise function_not_found(reference.arn)
    return alias
