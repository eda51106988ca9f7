"""`undercast env`: export lines that point AWS tools at the platform."""

import shlex
from typing import Annotated

import typer

from undercast.cli import environment
from undercast.cli.client import DataOption, locate
from undercast.cli.output import show


def env(
    data: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print export lines that point the AWS CLI, SDKs and Terraform at the platform: eval "$(undercast env)"."""
    key, secret = environment.credentials()
    values = {
        "AWS_ENDPOINT_URL": locate(data),
        "AWS_REGION": environment.region(),
        "AWS_DEFAULT_REGION": environment.region(),
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
    }
    if as_json:
        show(values, True)
        return
    for name, value in values.items():
        print(f"export {name}={shlex.quote(value)}")
