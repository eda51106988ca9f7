"""The fixtures of the IAM tests: STS is about the same roles and users."""

from tests.services.iam.conftest import iam, refusal, signed_in, sts, trust

__all__ = ["iam", "refusal", "signed_in", "sts", "trust"]
