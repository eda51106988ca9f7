"""What FunctionName can be: a name, a partial ARN, a whole ARN, each with or without a qualifier.

Pure. AWS: Lambda API Reference, parameter FunctionName of every operation.
"""

import re

from undercast.core.arn import AccountId, Region, Scope
from undercast.core.record import record
from undercast.services.lambda_.errors import invalid, not_found, unmet_constraint

LATEST = "$LATEST"
MAX_NAME_CHARACTERS = 64
_FORMS = re.compile(
    r"(?:arn:aws[a-zA-Z-]*:lambda:)?"
    r"(?:(?P<region>(?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d):)?"
    r"(?:(?P<account>\d{12}):)?"
    r"(?:function:)?"
    r"(?P<name>[a-zA-Z0-9-_]+)"
    r"(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)
_PATTERN_TEXT = (
    "(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?"
    "(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?"
)


@record(kw_only=False)
class Reference:
    """A function, and which of its versions or aliases is meant (None: unqualified)."""

    scope: Scope
    name: str
    qualifier: str | None = None

    @property
    def function_arn(self) -> str:
        """The ARN without qualifier."""
        return function_arn(self.scope, self.name)

    @property
    def arn(self) -> str:
        """The ARN as the caller named it."""
        return qualified(self.function_arn, self.qualifier)


def function_arn(scope: Scope, name: str) -> str:
    """A function's unqualified ARN."""
    return f"arn:aws:lambda:{scope.region}:{scope.account_id}:function:{name}"


def qualified(arn: str, qualifier: str | None) -> str:
    """The ARN of a version or alias; the unqualified one for None."""
    return arn if qualifier is None else f"{arn}:{qualifier}"


def parse_reference(scope: Scope, function_name: str, qualifier: str | None = None) -> Reference:
    """What the parameters FunctionName and Qualifier mean to a caller in this scope."""
    match = _FORMS.fullmatch(function_name)
    if match is None:
        raise unmet_constraint(
            function_name, "functionName", f"Member must satisfy regular expression pattern: {_PATTERN_TEXT}"
        )
    name = match["name"]
    if len(name) > MAX_NAME_CHARACTERS:
        raise unmet_constraint(
            name, "functionName", f"Member must have length less than or equal to {MAX_NAME_CHARACTERS}"
        )
    if match["region"] not in (None, scope.region):
        raise not_found(f"Functions from '{match['region']}' are not reachable in this region ('{scope.region}')")
    if qualifier is not None and match["qualifier"] not in (None, qualifier):
        raise invalid("The derived qualifier from the function name does not match the specified qualifier.")
    account = AccountId(match["account"]) if match["account"] else scope.account_id
    return Reference(Scope(account, Region(scope.region)), name, qualifier or match["qualifier"])


def parse_function_arn(arn: str) -> Reference | None:
    """The function that an ARN means, in whatever region; None when it is not a function's ARN."""
    parts = arn.split(":")
    if len(parts) not in (7, 8) or parts[0] != "arn" or parts[2] != "lambda" or parts[5] != "function":
        return None
    return Reference(Scope(AccountId(parts[4]), Region(parts[3])), parts[6], parts[7] if len(parts) == 8 else None)


def number_of(version: str) -> int | None:
    """0 for $LATEST, the number of a published version, None for anything else."""
    if version == LATEST:
        return 0
    return int(version) if version.isdigit() and version != "0" else None
