"""The manifest of Systems Manager: Parameter Store alone.

AWS: Systems Manager API Reference.
"""

from undercast.core.service import Manifest, operations_of
from undercast.services.parts import Parts
from undercast.services.ssm.access import access
from undercast.services.ssm.instance import Ssm
from undercast.services.ssm.members import EFFECTIVE, REFUSED
from undercast.services.ssm.notices import Notices
from undercast.services.ssm.operations import parameters, reading


def build(parts: Parts) -> Ssm:
    """The instance that every operation gets."""
    return Ssm(parts.database, parts.platform_clock, Notices(parts.outbox, parts.ids))


async def _start(ssm: Ssm) -> None:
    ssm.rounds.start(at_once=True)


async def _stop(ssm: Ssm) -> None:
    await ssm.rounds.stop()


MANIFEST = Manifest(
    name="ssm",
    build=build,
    operations=operations_of(parameters, reading),
    access=access,
    effective=EFFECTIVE,
    refused=REFUSED,
    start=_start,
    stop=_stop,
    differences=(
        "Of Systems Manager there is Parameter Store; documents, automation, sessions and the rest are not here.",
        "EventBridge hears of what a policy does within a minute, once for each policy and change of the parameter.",
        "Of AWS's public parameters (/aws/service/...) those are here whose values have a source: regions with long "
        "name, partition and domain, services with their regions and endpoints (botocore's endpoint data), and four "
        "image ids of Amazon Linux in us-east-2 that AWS's documentation prints. All others answer ParameterNotFound: "
        "image ids of other regions, of Amazon Linux 2023, Windows, ECS and EKS, availability zones, geolocations.",
        "Of a public parameter the newest version is known, not its history; its version is 1 where none is printed.",
        "AllowedPattern is in RE2's syntax, whose time has a bound: look-around and back-references are refused.",
        "The value of an aws:ec2:image parameter is checked for its form only; aws:ssm:integration is refused.",
    ),
)
