"""KMS's manifest: what the service offers to the platform.

AWS: KMS API Reference.
"""

from undercast.core.service import Manifest, operations_of
from undercast.services.kms.access import access, policy_of, tags_of
from undercast.services.kms.instance import Kms
from undercast.services.kms.members import EFFECTIVE, REFUSED, STORED
from undercast.services.kms.operations import aliases, encryption, grants, keys, rotation, signing
from undercast.services.kms.upkeep import Upkeep
from undercast.services.parts import Parts


def build(parts: Parts) -> Kms:
    """The instance that every operation gets."""
    return Kms(
        database=parts.database,
        upkeep=Upkeep(parts.database, parts.platform_clock),
        clock=parts.platform_clock,
        ids=parts.ids,
    )


async def _start(kms: Kms) -> None:
    kms.upkeep.rounds.start(at_once=True)


async def _stop(kms: Kms) -> None:
    await kms.upkeep.rounds.stop()


MANIFEST = Manifest(
    name="kms",
    build=build,
    operations=operations_of(aliases, encryption, grants, keys, rotation, signing),
    access=access,
    policy_of=policy_of,
    tags_of=tags_of,
    effective=EFFECTIVE,
    stored=STORED,
    refused=REFUSED,
    start=_start,
    stop=_stop,
    differences=(
        "Key material lies in the data folder; whoever can read that folder can read it.",
        "Ciphertexts have a format of their own: those of AWS cannot be decrypted here, nor these there.",
        "Imported key material, custom key stores, replicas of multi-region keys, key agreement and post-quantum keys "
        "are not supported.",
        "The keys that AWS manages for SQS, SNS and Kinesis let everybody of the account use them through their "
        "service, whatever an identity policy denies.",
        "Grants hold at once; a grant token is never needed. The grant constraint SourceArn is refused by name.",
    ),
)
