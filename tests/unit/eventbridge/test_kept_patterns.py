"""Rules and archives of a data folder that an older version wrote."""

from typing import Any

from undercast.services.events.models import archive_of, rule_of


def test_a_pattern_that_is_refused_now_matches_nothing() -> None:
    """The others of its bus are there: the platform starts, and the rule can be seen and changed."""
    document = {"source": "app", "detail": {"ip": "10.0.0.1"}}
    for mask, matches in (("31", True), ("32", False)):
        pattern = f'{{"detail": {{"ip": [{{"cidr": "10.0.0.1/{mask}"}}]}}}}'
        row: dict[str, Any] = {
            "account_id": "111122223333", "region": "us-east-1", "bus": "default", "name": "r", "pattern": pattern,
            "schedule": None, "state": "ENABLED", "description": None, "role_arn": None, "created_by": "111122223333",
            "anchored_at": 0.0, "tags": "{}", "retention_days": 0, "kms_key_id": None, "created_at": 0.0,
        }  # fmt: skip
        for found in (rule_of(row), archive_of(row)):  # type: ignore[arg-type]
            assert found.pattern == pattern
            assert found.compiled is not None
            assert found.compiled.matches(document) is matches
