"""Where a user's files are, and what the CLI takes from the environment."""

from pathlib import Path

import pytest

from undercast.cli import environment


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"UNDERCAST_DATA": "/own", "XDG_STATE_HOME": "/state", "HOME": "/home/u"}, "/own"),
        ({"XDG_STATE_HOME": "/state", "HOME": "/home/u"}, "/state/undercast"),
        ({"HOME": "/home/u"}, "/home/u/.local/state/undercast"),
    ],
)
def test_data_is_in_the_users_state_directory(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], folder: str
) -> None:
    """XDG Base Directory Specification: state that persists between restarts; UNDERCAST_DATA says otherwise."""
    for name in ("UNDERCAST_DATA", "XDG_STATE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert environment.default_data_dir() == Path(folder)


def test_the_region_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_REGION before AWS_DEFAULT_REGION before us-east-1, as AWS's SDKs."""
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    assert environment.region() == "us-east-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert environment.region() == "eu-west-1"
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    assert environment.region() == "us-west-2"
