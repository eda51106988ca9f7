"""botocore as the client: its serializers make our requests, its parsers read our responses. No sockets.

AWS: botocore is AWS's own reading of its models.
"""

import json
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

from botocore.compat import HTTPHeaders
from botocore.errorfactory import ClientExceptionsFactory
from botocore.handlers import parse_get_bucket_location
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from botocore.utils import percent_encode_sequence

from undercast.core.body import BodyStream
from undercast.core.http import HttpRequest, HttpResponse
from undercast.wire.model import catalogue, read_model

SERVICES = (
    "apigateway", "apigatewayv2", "cloudformation", "cloudwatch", "codedeploy", "dynamodb", "dynamodbstreams", "elbv2",
    "events", "iam", "kinesis", "kms", "lambda", "logs", "pipes", "s3", "scheduler", "secretsmanager", "sns", "sqs",
    "ssm", "stepfunctions", "sts", "xray",
)  # fmt: skip

SPOKEN = tuple((service, protocol) for service in SERVICES for protocol in catalogue().entries[service].protocols)
"""Every service in every protocol that its clients speak."""


@cache
def model_of(service: str, protocol: str) -> ServiceModel:
    """botocore's model of a service; for a query protocol that it has dropped, as it was before (SQS until 2023)."""
    raw = Loader().load_service_model(service, "service-2")
    if protocol == "query" and "query" not in raw["metadata"]["protocols"]:
        raw = as_it_was(raw, read_model(service, raw["metadata"]["apiVersion"]))
    return ServiceModel(raw, service)


def as_it_was(raw: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """The model with our names for the query protocol in the place of botocore's for JSON, and result wrappers."""
    old = json.loads(
        json.dumps({"metadata": ours["metadata"], "shapes": ours["shapes"], "operations": raw["operations"]})
    )
    del old["metadata"]["awsQueryCompatible"]
    for shape in old["shapes"].values():
        references = [
            *shape.get("members", {}).values(),
            *(shape[part] for part in ("member", "key", "value") if part in shape),
        ]
        for reference in references:
            if "queryName" in reference:
                reference["locationName"] = reference.pop("queryName")
    for operation in old["operations"].values():
        if "output" in operation:
            operation["output"]["resultWrapper"] = operation["output"]["shape"]
    return dict(old)


@cache
def exceptions_of(service: str, protocol: str) -> Any:
    """The exception classes that a botocore client has."""
    return ClientExceptionsFactory().create_client_exceptions(model_of(service, protocol))


def request_of(operation: OperationModel, protocol: str, params: dict[str, Any]) -> HttpRequest:
    """The request that botocore sends, unsigned but with the scope that names the service."""
    serialized = create_serializer(protocol, include_validation=False).serialize_to_request(params, operation)
    target = serialized["url_path"]
    query = serialized["query_string"]
    if query:
        text = query if isinstance(query, str) else percent_encode_sequence(query)
        target += ("&" if "?" in target else "?") + text
    body = serialized["body"]
    if isinstance(body, dict):
        body = percent_encode_sequence(body)
    if isinstance(body, str):
        body = body.encode()
    headers = {name.lower(): value for name, value in serialized["headers"].items()}
    headers["host"] = "localhost:4566"
    headers["x-amz-date"] = "20261121T000000Z"
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20261121/eu-west-1/{operation.service_model.signing_name}"
        "/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + "0" * 64
    )
    return HttpRequest(
        method=serialized["method"], target=target, headers=headers, body=BodyStream.of(bytes(body or b""))
    )


@dataclass(slots=True)
class Raw:
    """What botocore's event stream reads from."""

    data: bytes

    def stream(self) -> Any:
        """The whole stream as one piece."""
        yield self.data

    def close(self) -> None:
        """Nothing to release."""


async def body_of(response: HttpResponse) -> bytes:
    """A response's whole body."""
    if isinstance(response.body, bytes):
        return response.body
    return b"".join([part async for part in response.body])


async def result_of(operation: OperationModel, protocol: str, response: HttpResponse) -> dict[str, Any]:
    """What a botocore client returns for a response, or the error dictionary that it makes an exception of."""
    return read_response(operation, protocol, response, await body_of(response))


def read_response(operation: OperationModel, protocol: str, response: HttpResponse, body: bytes) -> dict[str, Any]:
    """The response as botocore's parser reads it."""
    headers = HTTPHeaders()
    for name, value in response.headers:
        headers[name] = value
    if response.length is not None:
        headers["Content-Length"] = str(response.length)
    message: dict[str, Any] = {
        "status_code": response.status,
        "headers": headers,
        "body": body,
        "context": {"operation_name": operation.name},
    }
    if response.status < 300 and (operation.has_event_stream_output or operation.has_streaming_output):
        message["body"] = Raw(body)
    parser = create_parser(protocol)
    found: dict[str, Any] = parser.parse(message, cast(Shape, operation.output_shape))
    if operation.name == "GetBucketLocation":
        parse_get_bucket_location(found, SimpleNamespace(raw=Raw(body), content=body))
    if response.status >= 300:
        add_modelled(operation, parser, message, found)
    return found


def add_modelled(operation: OperationModel, parser: Any, message: dict[str, Any], found: dict[str, Any]) -> None:
    """The exception's own members, as botocore.endpoint adds them."""
    shape = operation.service_model.shape_for_error_code(found["Error"]["Code"])
    if shape is not None:
        found.update(parser.parse(message, shape))
