"""What is there in place of a function that is missing: usually it is another account's or region's, or misspelt."""

import re
from typing import Any

from undercast.cli import environment
from undercast.cli.client import aws
from undercast.core.listing import first_few

_NOTHING = "no function is there (AWS_ACCESS_KEY_ID and AWS_REGION say where)"
_MISSING = re.compile(r"Function not found: (arn:[^:]+:lambda:([^:]+):([^:]+):function:)([^:\s]+)(?::(\S+))?")


def of_error(url: str, error: Exception) -> str:
    """Where the function of an error was looked for, and what is there; "" of another error."""
    from botocore.exceptions import BotoCoreError, ClientError

    found = _MISSING.search(str(error))
    if found is None:
        return ""
    _, region, account, name, qualifier = found.groups()
    try:
        if (_account(url), environment.region()) != (account, region):
            return _place(account, region)
        functions = aws(url, "lambda")
        names = _names(functions)
        return _qualifiers(functions, name) if qualifier and name in names else _told(account, region, names)
    except (ClientError, BotoCoreError):
        return _place(account, region)  # who may invoke may not be allowed to list


def of_function(url: str, name: str) -> str:
    """The same for the caller's own account and region; "" where the function is there."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        names = _names(aws(url, "lambda"))
        return "" if name in names else f"no function {name}; {_told(_account(url), environment.region(), names)}"
    except (ClientError, BotoCoreError):
        return ""


def _account(url: str) -> str:
    return str(aws(url, "sts").get_caller_identity()["Account"])


def _names(functions: Any) -> list[str]:
    pages = functions.get_paginator("list_functions").paginate()
    return sorted(one["FunctionName"] for page in pages for one in page["Functions"])


def _place(account: str, region: str) -> str:
    return f"looked in account {account}, region {region}"


def _told(account: str, region: str, names: list[str]) -> str:
    return f"{_place(account, region)}: {first_few(names, len(names)) or _NOTHING}"


def _qualifiers(functions: Any, name: str) -> str:
    """Aliases first: they are what users name."""
    aliases = functions.get_paginator("list_aliases").paginate(FunctionName=name)
    versions = functions.get_paginator("list_versions_by_function").paginate(FunctionName=name)
    there = [one["Name"] for page in aliases for one in page["Aliases"]]
    there += [one["Version"] for page in versions for one in page["Versions"]]
    return f"{name} has {first_few(there, len(there))}"
