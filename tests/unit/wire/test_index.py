"""The index of services says what botocore's models say."""

from pathlib import Path

import undercast.wire
from undercast.wire.index import build, text
from undercast.wire.model import catalogue


def test_the_index_is_that_of_the_installed_botocore() -> None:
    """After a change of botocore: python -m undercast.wire.index."""
    path = Path(undercast.wire.__file__).with_name("services.json")
    assert path.read_text(encoding="utf-8") == text(build())


def test_members_of_an_operation_are_those_of_its_model() -> None:
    """The registry checks manifests with it (I9)."""
    assert catalogue().members_of("sts", "GetAccessKeyInfo") == frozenset({"AccessKeyId"})
    assert catalogue().members_of("sts", "NoSuchOperation") is None
    assert catalogue().members_of("no-such-service", "GetSessionToken") is None
