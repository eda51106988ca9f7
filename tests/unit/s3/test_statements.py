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
        (["s3:PutObject", "S3:GETBUCKETACL"], "arn:aws:s3:::*"),
        (["s3:GetObject", "s3:ListBucket"], "arn:aws:s3:::b?t*"),
        ("s3:GetObject", ["arn:aws:s3:::${aws:PrincipalTag/team}/*", OBJECTS]),
        (["s3:*", "s3:Get*", "*"], BUCKET),
        ("s3:PutObjectAnnotation", OBJECTS),
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
        ([{"Action": "s3:*", "Resource": OBJECTS}, {"Action": "s3:PutObject", "Resource": BUCKET}], MISMATCH),
        ({"Action": "sqs:SendMessage", "Resource": OBJECTS}, "Policy has invalid action"),
        ({"Action": "s3:Nope", "Resource": OBJECTS}, "Policy has invalid action"),
        ({"Action": ["s3:GetObject", "s3:HeadObject"], "Resource": OBJECTS}, "Policy has invalid action"),
        ({"NotAction": "s3:Nope*", "Resource": OBJECTS}, "Policy has invalid action"),
        ({"Action": "s3:GetObject*", "Resource": BUCKET}, MISMATCH),
        ({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::other/*"}, "Policy has invalid resource"),
        ({"Action": "s3:GetObject", "Resource": [OBJECTS, "arn:aws:s3:::other*/*"]}, "Policy has invalid resource"),
        ({"Action": "s3:GetObject", "Resource": "*"}, "Policy has invalid resource"),
        ({"Action": "s3:GetObject", "Resource": "arn:aws:sqs:us-east-1:1:bkt"}, "Policy has invalid resource"),
    ],
)
def test_statements_that_cannot_mean_the_bucket(statements: object, told: str) -> None:
    """MalformedPolicy names what is wrong."""
    with pytest.raises(ServiceError, match=f"MalformedPolicy: {told}"):
        check_statements("bkt", {"Statement": statements})


def conditional(actions: str | list[str], *keys: str) -> dict[str, object]:
    """A policy whose only statement has these condition keys."""
    conditions = {"StringEquals": dict.fromkeys(keys, "x")}
    statement = {"Effect": "Allow", "Action": actions, "Resource": [BUCKET, OBJECTS], "Condition": conditions}
    return {"Statement": statement}


@pytest.mark.parametrize(
    ("actions", "key"),
    [
        ("s3:ListBucket", "s3:prefix"),
        (["s3:ListBucket", "s3:ListBucketVersions"], "s3:Delimiter"),
        ("s3:*", "s3:x-amz-acl"),
        (["s3:GetObject", "s3:GetObjectAttributes"], "s3:ExistingObjectTag/security"),
        (["s3:GetObject", "s3:ListBucket"], "s3:ResourceAccount"),
        (["s3:GetObject", "s3:ListBucket"], "aws:PrincipalOrgID"),
        ("s3:DeleteObject", "s3:if-match"),
    ],
)
def test_conditions_that_each_action_knows(actions: str | list[str], key: str) -> None:
    """Service Authorization Reference: the condition keys of each action; AWS's own go with all of them."""
    check_statements("bkt", conditional(actions, key))


@pytest.mark.parametrize(
    ("actions", "keys"),
    [
        (["s3:ListBucket", "s3:GetObject"], ["s3:prefix"]),
        (["s3:ListBucket", "s3:GetBucketAcl"], ["s3:prefix"]),
        ("s3:PutObject", ["s3:x-amz-acl", "s3:ExistingObjectTag/security"]),
        ("s3:PutObjectAcl", ["s3:RequestObjectTag/security"]),
        (["s3:GetObject", "s3:PutObject"], ["s3:x-amz-copy-source"]),
        ("s3:Get*", ["s3:x-amz-server-side-encryption"]),
    ],
)
def test_conditions_that_an_action_does_not_know(actions: str | list[str], keys: list[str]) -> None:
    """One action without the key is enough."""
    told = "MalformedPolicy: Conditions do not apply to combination of actions and resources in statement"
    with pytest.raises(ServiceError, match=told):
        check_statements("bkt", conditional(actions, *keys))


def test_a_condition_key_that_s3_does_not_have() -> None:
    """ "s3:x-acl" is none; keys of other services are not looked at."""
    check_statements("bkt", conditional("s3:GetObject", "sts:ExternalId"))
    with pytest.raises(ServiceError, match="MalformedPolicy: Policy has an invalid condition key"):
        check_statements("bkt", conditional("s3:PutObject", "s3:x-acl"))
