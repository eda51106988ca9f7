"""Which service answers itself for a host name or a path: known before any service is loaded."""

import pytest

from undercast.gateway.sites import Sites
from undercast.services import catalogue

CERTIFICATE = "/SimpleNotificationService-0123.pem"


@pytest.mark.parametrize(
    ("host", "target", "owner"),
    [
        ("localhost:4566", CERTIFICATE, "sns"),
        ("sns.us-east-1.amazonaws.com", CERTIFICATE, "sns"),
        ("localhost:4566", "/photos/SimpleNotificationService-0123.pem", None),
        ("photos.s3.us-east-1.amazonaws.com", CERTIFICATE, None),
        ("sns.localhost:4566", CERTIFICATE, "sns"),  # it may be a bucket's; SigningCertURL has the subscriber's host
        ("photos.s3-website.localhost:4566", CERTIFICATE, "s3"),
        ("abc.lambda-url.us-east-1.localhost:4566", CERTIFICATE, "lambda"),
        ("abc.lambda-url.us-east-1.on.aws", "/", "lambda"),
        ("photos.s3-website-us-east-1.amazonaws.com", "/", "s3"),
        ("lambda.us-east-1.amazonaws.com", "/", None),
    ],
)
def test_who_answers_itself(host: str, target: str, owner: str | None) -> None:
    """S3 User Guide, "Naming Amazon S3 objects": any key. A function URL and a website pass on any path."""
    sites = Sites(catalogue.addresses())
    for _ in range(2):  # found, and then remembered
        assert sites.find(host, target) == owner
