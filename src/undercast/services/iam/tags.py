"""Tags of roles, users, policies and instance profiles, by the unique id of their owner.

Keys are compared without case. AWS: IAM User Guide, "Tags for IAM resources".
"""

from collections.abc import Iterable, Mapping, Sequence

from undercast.core.arn import AccountId
from undercast.services.iam import errors
from undercast.store.database import Tx

MAX_TAGS = 50


def of(tx: Tx, owner_id: str) -> list[dict[str, str]]:
    """As AWS lists them: [{"Key": ..., "Value": ...}] in order of the key."""
    rows = tx.all("SELECT key, value FROM iam_tag WHERE owner_id = ? ORDER BY key", (owner_id,))
    return [{"Key": row["key"], "Value": row["value"]} for row in rows]


def put(tx: Tx, account_id: AccountId, owner_id: str, tags: Sequence[Mapping[str, str]]) -> None:
    """Add or overwrite. Raises InvalidInput and LimitExceeded."""
    folded = [tag["Key"].lower() for tag in tags]
    if len(set(folded)) != len(folded):
        raise errors.invalid_input("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if any(key.startswith("aws:") for key in folded):
        raise errors.invalid_input("One or more tags are invalid: aws: prefixed tag key names are not allowed.")
    for tag in tags:
        row = (account_id, owner_id, tag["Key"].lower(), tag["Key"], tag["Value"])
        tx.execute("DELETE FROM iam_tag WHERE owner_id = ? AND folded_key = ?", row[1:3])
        tx.execute("INSERT INTO iam_tag VALUES (?, ?, ?, ?, ?)", row)
    if len(of(tx, owner_id)) > MAX_TAGS:
        raise errors.limit_exceeded("The number of tags has reached the maximum limit.")


def remove(tx: Tx, owner_id: str, keys: Iterable[str]) -> None:
    """Keys that are not there are no error."""
    for key in keys:
        tx.execute("DELETE FROM iam_tag WHERE owner_id = ? AND folded_key = ?", (owner_id, key.lower()))
