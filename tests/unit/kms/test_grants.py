"""What a grant covers, without a platform.

AWS: KMS API Reference, CreateGrant, Constraints.
"""

from undercast.core.arn import AccountId, Region, Scope
from undercast.services.kms.models import Grant


def test_a_grant_that_an_older_data_folder_holds_for_one_resource_covers_nothing() -> None:
    """The request that it is for cannot be told from any other."""
    grant = Grant(
        scope=Scope(AccountId("000000000000"), Region("us-east-1")),
        id="g",
        key_id="k",
        token="t",
        name="",
        grantee="arn:aws:iam::000000000000:user/bob",
        retiring="",
        operations=("Encrypt", "DescribeKey"),
        constraints={"SourceArn": "arn:aws:lambda:us-east-1:000000000000:function:f"},
        created_at=0.0,
    )
    assert [grant.covers(operation, {}) for operation in grant.operations] == [False, False]
