"""Requests made from botocore's models, which name another account's resources wherever they can.

Required members get the least that their shapes take; a member of one of the owner's names gets what it names, wherever
it stands. AWS: botocore's service models.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.model import OperationModel, Shape

from tests.conformance.values import matching
from tests.security.accounts.estate import ALLOW_ALL, Names

MAX_DEPTH = 6
TRUST = ALLOW_ALL.replace('"Action"', '"Principal": "*", "Action"')
TEXTS: Mapping[str, str] = {
    "PolicyDocument": ALLOW_ALL, "Policy": TRUST, "ResourcePolicy": TRUST, "Principal": "*",
    "Action": "lambda:InvokeFunction", "ResourceType": "Parameter", "DashboardBody": '{"widgets": []}',
    "EventPattern": '{"source": ["x"]}',
    "AssumeRolePolicyDocument": TRUST, "accessPolicy": TRUST, "AlarmRule": "FALSE", "filterPattern": "x",
    "ScheduleExpression": "rate(1 day)", "queryString": "fields @message", "AttributeName": "DisplayName",
    "PolicyInputList": ALLOW_ALL, "ActionNames": "s3:GetObject", "Detail": "{}", "AWSAccountIds": "222222222222",
}  # fmt: skip
"""Member -> a text that its operation takes, where its shape does not say what that is."""


class Requests:
    """All requests of one operation: one for each of the names that its members have, one where it names nothing."""

    def __init__(self, operation: OperationModel, names: Names, more: Mapping[str, Any]) -> None:
        """`more` are further members, None for one that is left out."""
        self._operation = operation
        self._names = {name: values for name, values in names.items() if name not in more}
        self._more = more
        self._turn = 0
        self.names = min(len(more), 1)
        """How many names the member with the most of them has, as far as the members have been asked."""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        shape = self._operation.input_shape
        self._turn = 0
        while self._turn <= max(self.names - 1, 0):
            params = {**(self._of(shape, "", 0) if shape is not None else {}), **self._more}
            yield {member: value for member, value in params.items() if value is not None}
            self._turn += 1

    def _of(self, shape: Any, name: str, depth: int) -> Any:
        if name in self._names and shape.type_name not in ("structure", "list", "map"):
            return self._named(name)
        if shape.type_name == "structure":
            wanted = [
                (member, of)
                for member, of in shape.members.items()
                if member in shape.required_members or member in self._names
            ]
            if not wanted and shape.is_tagged_union:
                wanted = list(shape.members.items())[:1]
            return {member: self._of(of, member, depth + 1) for member, of in wanted if depth < MAX_DEPTH}
        if shape.type_name == "list":
            return [self._of(shape.member, name, depth + 1)] * max(1, int(shape.metadata.get("min", 1)))
        if shape.type_name == "map":
            return {self._text(shape.key, "k"): self._of(shape.value, name, depth + 1)}
        return self._scalar(shape, name)

    def _named(self, name: str) -> Any:
        values = self._names[name]
        self.names = max(self.names, len(values))
        return values[self._turn % len(values)]

    def _scalar(self, shape: Shape, name: str) -> Any:
        kind = shape.type_name
        if kind == "blob":
            return b"blob"
        if kind == "boolean":
            return False
        if kind == "timestamp":
            return 1_700_000_000
        if kind in ("integer", "long"):
            return max(1, int(shape.metadata.get("min", 1)))
        if kind in ("float", "double"):
            return 1.0
        return self._text(shape, name)

    def _text(self, shape: Any, name: str) -> str:
        if name in TEXTS:
            return TEXTS[name]
        if shape.enum:
            return str(shape.enum[0])
        low, high = max(1, int(shape.metadata.get("min", 1))), int(shape.metadata.get("max", 1 << 20))
        pattern = shape.metadata.get("pattern")
        text = matching(pattern, low, high, "low", True) if pattern else None
        return text or "x" * low
