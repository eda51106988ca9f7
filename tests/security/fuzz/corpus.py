"""Valid requests to start from: every operation of the services here and of others, by botocore's serializers.

Deterministic for a seed. Half of the names in them are names of things that exist (see `garden`), so that requests get
behind the first lookup. AWS: botocore's models; Amazon Event Stream Specification for streams in requests.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from botocore.model import OperationModel

from tests.conformance.botocore_side import SPOKEN, model_of, request_of
from tests.conformance.values import Values
from undercast.services import catalogue
from undercast.wire.event_stream import encode_message

MOUNTED = tuple(catalogue.names())
STREAMING = (
    ("lexv2-runtime", "StartConversation"),
    ("qbusiness", "Chat"),
    ("bedrock-runtime", "InvokeModelWithBidirectionalStream"),
    ("connecthealth", "StartMedicalScribeListeningSession"),
)
"""Operations whose request is a stream of events."""
VARIANTS = 8
"""Requests per operation of a mounted service; others have one."""
STANDING = {
    "Bucket": "fuzz-bucket",
    "Key": "standing/key",
    "FunctionName": "fuzz-function",
    "Role": "arn:aws:iam::000000000000:role/fuzz-role",
    "RoleArn": "arn:aws:iam::000000000000:role/fuzz-role",
    "RoleName": "fuzz-role",
    "UserName": "fuzz-user",
    "GroupName": "fuzz-group",
    "PolicyArn": "arn:aws:iam::000000000000:policy/fuzz-policy",
    "PolicyName": "fuzz-policy",
    "InstanceProfileName": "fuzz-profile",
    "logGroupName": "/fuzz/group",
    "logStreamName": "fuzz-stream",
    "CopySource": "fuzz-bucket/standing/key",
    "Resource": "arn:aws:lambda:eu-west-1:000000000000:function:fuzz-function",
    "ExpectedBucketOwner": "000000000000",
}
"""What the garden keeps alive, by the members that name it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """One request as botocore sends it, unsigned but for the scope that names its service."""

    service: str
    protocol: str
    operation: str
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def mounted(self) -> bool:
        """Whether its service is here."""
        return self.service in MOUNTED


@cache
def seeds() -> tuple[Seed, ...]:
    """The whole corpus."""
    chance = random.Random(20261121)
    return (*_modelled(chance), *_streams())


def _modelled(chance: random.Random) -> Iterator[Seed]:
    for service, protocol in SPOKEN:
        model = model_of(service, protocol)
        for name in model.operation_names:
            operation = model.operation_model(name)
            for number in range(VARIANTS if service in MOUNTED else 1):
                yield seed_of(operation, protocol, params_of(operation, chance, whole=number == 0))


def seed_of(operation: OperationModel, protocol: str, params: dict[str, Any]) -> Seed:
    """The request of an operation with these parameters."""
    sent = request_of(operation, protocol, params)
    return Seed(
        service=str(operation.service_model.service_name),
        protocol=protocol,
        operation=str(operation.name),
        method=sent.method,
        target=sent.target,
        headers=tuple(sent.headers.items()),
        body=sent.body.buffered or b"",
    )


def params_of(operation: OperationModel, chance: random.Random, *, whole: bool = False) -> dict[str, Any]:
    """Parameters of an operation: all, or what is required and some more."""
    shape: Any = operation.input_shape
    if shape is None:
        return {}
    values = Values(edge=chance.choice(("low", "high")), rotation=chance.randrange(4), timestamp_default="whole")
    found = values.of(shape)
    required = set(shape.required_members)
    few = chance.random() * 0.6
    kept = {name: value for name, value in found.items() if whole or name in required or chance.random() < few}
    for name in kept.keys() & STANDING.keys():
        if chance.random() < 0.6 and isinstance(kept[name], str):
            kept[name] = STANDING[name]
    return kept


def _streams() -> Iterator[Seed]:
    for service, name in STREAMING:
        operation = model_of(service, "rest-json").operation_model(name)
        shape: Any = operation.input_shape
        stream = next(member for member, inner in shape.members.items() if inner.serialization.get("eventstream"))
        params = {
            member: Values(edge="low").of(inner, (), inner.serialization.get("location", ""))
            for member, inner in shape.members.items()
            if member != stream and member in shape.required_members
        }
        plain = seed_of(operation, "rest-json", params)
        headers = {**dict(plain.headers), "content-type": "application/vnd.amazon.eventstream"}
        body = b"".join(_event(kind) for kind in shape.members[stream].members) * 2
        yield Seed(
            service=service,
            protocol="event-stream",
            operation=name,
            method=plain.method,
            target=plain.target,
            headers=tuple(headers.items()),
            body=body,
        )


def _event(kind: str) -> bytes:
    headers = {":message-type": "event", ":event-type": kind, ":content-type": "application/json"}
    return encode_message(headers, b'{"a":"b"}')
