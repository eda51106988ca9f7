"""Host names: services, regions, virtual-host buckets."""

import re

import pytest

from undercast.wire.hosts import DEFAULT_HOSTS, NOWHERE, HostTarget, host_target


@pytest.mark.parametrize(
    ("host", "bucket", "region"),
    [
        ("b.localhost:4566", "b", None),
        ("b.localhost", "b", None),
        ("my.dotted.bucket.localhost:4566", "my.dotted.bucket", None),
        ("B.S3.LOCALHOST.LOCALSTACK.CLOUD:4566", "b", None),
        ("b.s3.localhost.localstack.cloud:4566", "b", None),
        ("b.s3.eu-west-1.localhost.localstack.cloud:4566", "b", "eu-west-1"),
        ("b.s3.amazonaws.com", "b", None),
        ("b.s3.eu-west-1.amazonaws.com", "b", "eu-west-1"),
        ("b.s3-eu-west-1.amazonaws.com", "b", "eu-west-1"),
        ("a.b.c.s3.us-gov-west-1.amazonaws.com:443", "a.b.c", "us-gov-west-1"),
        ("b.s3.dualstack.eu-west-1.amazonaws.com", "b", "eu-west-1"),
        ("b.s3-fips.us-east-1.amazonaws.com", "b", "us-east-1"),
        ("b.s3-accelerate.amazonaws.com", "b", None),
        ("b.s3-accelerate.dualstack.amazonaws.com", "b", None),
        ("b.s3.cn-north-1.amazonaws.com.cn", "b", "cn-north-1"),
        ("s3.b.s3.eu-west-1.amazonaws.com", "s3.b", "eu-west-1"),
        ("b.s3.amazonaws.com.", "b", None),
    ],
)
def test_a_virtual_host_names_its_bucket(host: str, bucket: str, region: str | None) -> None:
    """S3 User Guide, "Virtual hosting of general purpose buckets"."""
    target = host_target(host, DEFAULT_HOSTS)
    assert (bucket, region) == (target.bucket, target.region)
    assert target.endpoint == ("s3" if re.search(r"\.s3[.-]", host.lower()) else None)


@pytest.mark.parametrize(
    ("host", "endpoint", "region"),
    [
        ("s3.amazonaws.com", "s3", None),
        ("s3.localhost.localstack.cloud:4566", "s3", None),
        ("s3.localhost", "s3", None),
        ("s3-us-west-2.amazonaws.com", "s3", "us-west-2"),
        ("s3.dualstack.us-west-2.amazonaws.com", "s3", "us-west-2"),
        ("lambda.us-east-1.amazonaws.com", "lambda", "us-east-1"),
        ("lambda-fips.us-east-1.amazonaws.com", "lambda", "us-east-1"),
        ("sts.amazonaws.com", "sts", None),
        ("streams.dynamodb.eu-west-1.amazonaws.com", "streams.dynamodb", "eu-west-1"),
        ("sqs.eu-west-1.localhost.localstack.cloud:4566", "sqs", "eu-west-1"),
        ("eu-west-1.queue.amazonaws.com", "sqs", "eu-west-1"),
        ("queue.amazonaws.com", "sqs", None),
        ("lambda.eu-west-1.api.aws", "lambda", "eu-west-1"),
    ],
)
def test_a_host_names_its_service(host: str, endpoint: str, region: str | None) -> None:
    """AWS General Reference, "AWS service endpoints"."""
    assert HostTarget(endpoint=endpoint, region=region) == host_target(host, DEFAULT_HOSTS)


@pytest.mark.parametrize("host", ["", "localhost", "localhost:4566", "127.0.0.1:4566", "[::1]:4566", "example.com"])
def test_a_plain_host_says_nothing(host: str) -> None:
    """Path style: the rest of the head decides."""
    assert host_target(host, DEFAULT_HOSTS) == NOWHERE
