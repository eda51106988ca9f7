"""The Lambda service as its operations see it: its parts, and what several operations share."""

from undercast.core.clock import PlatformClock
from undercast.core.config import Profile
from undercast.core.context import RequestContext
from undercast.core.identity import service_principal
from undercast.core.ids import Ids
from undercast.core.record import record
from undercast.events.arrivals import Arrivals
from undercast.events.causality import CausalLog
from undercast.events.outbox import Outbox
from undercast.services.lambda_ import store
from undercast.services.lambda_.catalog import Catalog
from undercast.services.lambda_.code import CodeStore
from undercast.services.lambda_.concurrency import Concurrency
from undercast.services.lambda_.deployments import Deployments, Environments
from undercast.services.lambda_.errors import function_not_found, invalid
from undercast.services.lambda_.hot_reload import HotReload
from undercast.services.lambda_.images.library import Images
from undercast.services.lambda_.limits import Limits, limits_of
from undercast.services.lambda_.lineage import Lineages
from undercast.services.lambda_.locations import CodeLocations
from undercast.services.lambda_.mappings import Mappings
from undercast.services.lambda_.measures import Measures
from undercast.services.lambda_.models import Function, Version
from undercast.services.lambda_.names import LATEST, Reference, number_of
from undercast.services.lambda_.provisioning import Provisioning
from undercast.services.lambda_.request_rates import RequestRates
from undercast.services.lambda_.streams import Streams
from undercast.services.lambda_.unable import Unable
from undercast.services.parts import Internal
from undercast.store.blobs import BlobStore
from undercast.store.database import Database, Tx

PRINCIPAL = "lambda.amazonaws.com"


@record
class Lambda:
    """One per platform."""

    database: Database
    blobs: BlobStore
    outbox: Outbox
    causality: CausalLog
    arrivals: Arrivals
    environments: Environments
    code: CodeStore
    images: Images
    catalog: Catalog
    deployments: Deployments
    provisioning: Provisioning
    mappings: Mappings
    concurrency: Concurrency
    rates: RequestRates
    lineages: Lineages
    measures: Measures
    locations: CodeLocations
    streams: Streams
    hot_reload: HotReload
    unable: Unable
    internal: Internal
    clock: PlatformClock
    ids: Ids
    profile: Profile = "current"

    @property
    def limits(self) -> Limits:
        """Of a function's configuration."""
        return limits_of(self.profile)

    def release(self, tx: Tx, versions: list[Version]) -> None:
        """In the transaction that deletes versions: let go of their code, on disk too once it has committed."""
        released = [sha256 for version in versions for sha256 in version.code]
        for sha256 in released:
            self.blobs.release(tx, sha256)
        tx.after_commit(lambda: self.deployments.discard(released))

    def changed(self, tx: Tx) -> None:
        """In a transaction that changes what an invoke resolves to."""
        tx.after_commit(self.catalog.forget)


def existing_function(tx: Tx, reference: Reference) -> Function:
    """Raises ResourceNotFoundException."""
    function = store.function(tx, reference.scope, reference.name)
    if function is None:
        raise function_not_found(reference.arn)
    return function


def existing_version(tx: Tx, reference: Reference) -> Version:
    """The version that a qualifier means, through an alias too. Raises ResourceNotFoundException."""
    qualifier = reference.qualifier
    number = 0 if qualifier is None else number_of(qualifier)
    if number is None:
        alias = store.alias(tx, reference.scope, reference.name, str(qualifier))
        number = number_of(alias.version) if alias else None
    version = None if number is None else store.version(tx, reference.scope, reference.name, number)
    if version is None:
        raise function_not_found(reference.arn)
    return version


def existing_qualifier(tx: Tx, reference: Reference) -> None:
    """Raises ResourceNotFoundException unless function and qualifier exist."""
    existing_function(tx, reference)
    existing_version(tx, reference)


def unqualified(reference: Reference) -> Reference:
    """For operations that are about the function or its $LATEST; a version is immutable."""
    if reference.qualifier in (None, LATEST):
        return Reference(reference.scope, reference.name)
    raise invalid(
        "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. "
        "Please specify either a function name or an unqualified function ARN."
    )


async def check_role(ctx: RequestContext, role_arn: str, session_name: str) -> None:
    """Raises when the trust policy refuses Lambda.

    An unknown role passes, as its calls will. Makes no session.

    AWS: Lambda Developer Guide, "Defining Lambda function permissions with an execution role".
    """
    principal = service_principal(PRINCIPAL, ctx.account_id)
    if not await ctx.permits(principal, "sts:AssumeRole", role_arn, {"sts:RoleSessionName": session_name}):
        raise invalid("The role defined for the function cannot be assumed by Lambda.")
