"""What a grant covers, without a platform.

AWS: KMS API Reference, CreateGrant, Constraints.
"""

from dataclasses import replace

from undercast.core.arn import AccountId, Region, Scope
from undercast.services.kms.models import Grant

GRANT = Grant(
    scope=Scope(AccountId("000000000000"), Region("us-east-1")),
    id="g",
    key_id="k",
    token="t",
    name="",
    grantee="arn:aws:iam::000000000000:user/bob",
    retiring="",
    operations=("Encrypt", "DescribeKey"),
    constraints={},
    created_at=0.0,
)


def test_a_grant_that_an_older_data_folder_holds_for_one_resource_covers_nothing() -> None:
    """The request that it is for cannot be told from any other."""
    grant = replace(GRANT, constraints={"SourceArn": "arn:aws:lambda:us-east-1:000000000000:function:f"})
    assert [grant.covers(operation, {}) for operation in grant.operations] == [False, False]


def test_a_context_matches_in_any_case_of_its_keys_and_in_its_values_own() -> None:
    """AWS: KMS API Reference, GrantConstraints: "not case sensitive, but the value is case sensitive"."""
    for constraint in ("EncryptionContextEquals", "EncryptionContextSubset"):
        grant = replace(GRANT, constraints={constraint: {"Dept": "IT"}})
        contexts: tuple[dict[str, str], ...] = ({"dEPT": "IT"}, {"Dept": "it"}, {})
        assert [grant.covers("Encrypt", context) for context in contexts] == [True, False, False]


def test_a_subset_asks_for_each_of_its_pairs() -> None:
    """AWS: KMS API Reference, GrantConstraints, EncryptionContextSubset."""
    grant = replace(GRANT, constraints={"EncryptionContextSubset": {"team": "a", "stage": "prod"}})
    both = {"team": "a", "stage": "prod"}
    contexts: tuple[dict[str, str], ...] = (both, {**both, "n": "1"}, {"team": "a"}, {**both, "stage": "test"})
    assert [grant.covers("Encrypt", context) for context in contexts] == [True, True, False, False]


def test_an_exact_context_has_nothing_more() -> None:
    """AWS: KMS API Reference, GrantConstraints, EncryptionContextEquals."""
    grant = replace(GRANT, constraints={"EncryptionContextEquals": {"team": "a", "stage": "prod"}})
    both = {"team": "a", "stage": "prod"}
    contexts: tuple[dict[str, str], ...] = (both, {**both, "n": "1"}, {"team": "a"})
    assert [grant.covers("Encrypt", context) for context in contexts] == [True, False, False]
