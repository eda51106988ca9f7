"""The manifest of Secrets Manager.

AWS: Secrets Manager API Reference.
"""

from undercast.core.service import Manifest, operations_of
from undercast.services.parts import Parts
from undercast.services.secretsmanager.access import access, policy_of, tags_of
from undercast.services.secretsmanager.instance import SecretsManager
from undercast.services.secretsmanager.members import EFFECTIVE, REFUSED, STORED
from undercast.services.secretsmanager.operations import replication, secrets, values
from undercast.services.secretsmanager.rotation import Rotations


def build(parts: Parts) -> SecretsManager:
    """The instance that every operation gets."""
    return SecretsManager(
        database=parts.database,
        rotations=Rotations(parts.database, parts.platform_clock, parts.internal),
        clock=parts.platform_clock,
    )


async def _start(manager: SecretsManager) -> None:
    manager.rotations.start()


async def _stop(manager: SecretsManager) -> None:
    await manager.rotations.stop()


MANIFEST = Manifest(
    name="secretsmanager",
    build=build,
    operations=operations_of(replication, secrets, values),
    access=access,
    policy_of=policy_of,
    tags_of=tags_of,
    effective=EFFECTIVE,
    stored=STORED,
    refused=REFUSED,
    start=_start,
    stop=_stop,
    differences=(
        "A replica is in sync, or Failed, when the call answers; a Failed one is tried again by "
        "ReplicateSecretToRegions, not by itself. Replicas in other accounts are refused by name.",
        "A rotation begins with its window; Duration is kept and shown.",
        "A rotation that fails is tried again at the next scheduled time, not several times within the window.",
        "With RotateImmediately false RotateSecret does not wait for the step testSecret; what fails there is in the "
        "platform's log and in the function's, and the configuration stays.",
        "Requests have the condition key secretsmanager:KmsKeyArn where they name the key by its ARN, and "
        "secretsmanager:VersionStage where they name a stage.",
    ),
)
