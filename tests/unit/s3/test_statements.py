"""The statements of a bucket's policy, in S3's words."""

import pytest

from undercast.core.errors import ServiceError
from undercast.services.s3.statements import check_statements

BUCKET, OBJECTS = "arn:aws:s3:::bkt", "arn:aws:s3:::bkt/*"
MISMATCH = "Action does not apply to any resource\\(s\\) in statement"


@pytest.mark.parametrize(
    ("actions", "resources"),
    [
        ("s3:GetObject", OBJECTS),
        ("s3:ListBucket", BUCKET),
        (["s3:GetObject", "s3:ListBucket"], [BUCKET, OBJECTS]),
        (["s3:GetObject", "S3:LISTBUCKET"], "*"),
        (["s3:PutObject", "s3:GetBucketAcl"], "arn:aws:s3:::*"),
        (["s3:*", "s3:Get*"], BUCKET),
        ("s3:ListAllMyBuckets", OBJECTS),
    ],
)
def test_actions_that_one_of_the_resources_knows(actions: str | list[str], resources: str | list[str]) -> None:
    """Each action has a resource; wildcards and actions of other resources are passed over."""
    check_statements("bkt", {"Statement": [{"Effect": "Allow", "Action": actions, "Resource": resources}]})


@pytest.mark.parametrize(
    ("statements", "told"),
    [
        ([], "Could not parse the policy: Statement is empty!"),
        ({"Action": "s3:GetObject", "Resource": BUCKET}, MISMATCH),
        ({"Action": ["s3:GetObject", "s3:listbucket"], "Resource": [OBJECTS]}, MISMATCH),
        ([{"Action": "s3:*", "Resource": "*"}, {"Action": "s3:PutObject", "Resource": BUCKET}], MISMATCH),
        ({"Action": "sqs:SendMessage", "Resource": OBJECTS}, "Policy has invalid action"),
        ({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::other/*"}, "Policy has invalid resource"),
    ],
)
def test_statements_that_cannot_mean_the_bucket(statements: object, told: str) -> None:
    """MalformedPolicy names what is wrong."""
    with pytest.raises(ServiceError, match=f"MalformedPolicy: {told}"):
        check_statements("bkt", {"Statement": statements})
