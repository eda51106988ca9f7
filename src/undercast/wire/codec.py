"""One operation in one protocol, compiled at first use and kept.

Rule: compiled closures are pure functions of the model, so they are shared by everything in the process.
AWS: Smithy's AWS protocol specifications.
"""

from functools import cache, lru_cache
from typing import Any

from undercast.core.body import BodyStream
from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.wire import s3
from undercast.wire.call import Call, Protocol
from undercast.wire.draft import Draft, Encode, Failure, Parse
from undercast.wire.model import KEPT_MODELS, OperationModel, catalogue
from undercast.wire.protocols import json, query, rest, rest_json, rest_xml, rpc_v2_cbor
from undercast.wire.protocols.query import QueryCompiler
from undercast.wire.protocols.rpc_v2_cbor import Dialect
from undercast.wire.protocols.tree import TreeCompiler
from undercast.wire.protocols.xml import XmlCompiler
from undercast.wire.routing import RestRouter
from undercast.wire.validate import Validator, compile_validator


@record
class Codec:
    """Reads an operation's requests and writes its responses."""

    operation: OperationModel
    streams_input: bool
    read: Parse
    validate: Validator | None
    encode: Encode

    def parse(self, call: Call, body: bytes | BodyStream) -> dict[str, Any]:
        """Read and validate. Raises ServiceError."""
        params = self.read(call, body)
        self.check(params)
        return params

    def check(self, params: dict[str, Any]) -> None:
        """Validate. Raises ServiceError."""
        if self.validate is None:
            return
        try:
            self.validate(params)
        except RecursionError:  # it goes deeper than reading did
            raise ServiceError("SerializationException", "The request body is nested too deeply.") from None


@cache
def codec(service: str, operation: str, protocol: Protocol) -> Codec:
    """The codec of an operation that exists."""
    model = catalogue().service(service).operations[operation]
    read, encode = _compile(model, protocol)
    return Codec(
        operation=model,
        streams_input=model.streaming_input is not None,
        read=read,
        validate=compile_validator(model, protocol),
        encode=encode,
    )


@lru_cache(maxsize=KEPT_MODELS)
def router(service: str) -> RestRouter:
    """The routes of a REST service."""
    return RestRouter(catalogue().service(service))


def encode_failure(failure: Failure, protocol: Protocol, content_type: str) -> Draft:
    """An exception in a protocol. `content_type` is the answer's where the request chose it."""
    name = failure.service.name if failure.service else ""
    if protocol == "json":
        return json.encode_failure(failure, content_type, _json_trees(name))
    if protocol == "query":
        return query.encode_failure(failure, _query_xml(name))
    if protocol == "rest-json":
        return rest_json.encode_failure(failure, _json_trees(name))
    if protocol == "rest-xml":
        return rest_xml.encode_failure(failure)
    dialect = _dialect(protocol)
    return rpc_v2_cbor.encode_failure(failure, _cbor_trees(name, dialect), dialect)


def _compile(model: OperationModel, protocol: Protocol) -> tuple[Parse, Encode]:
    name = model.service.name
    if protocol == "json":
        return json.compile_operation(model, _json_trees(name))
    if protocol == "query":
        return query.compile_operation(model, _query_inputs(name), _query_xml(name))
    if protocol == "rest-json":
        return rest.compile_operation(model, rest_json.JsonBodies(_json_trees(name)), "")
    if protocol == "rest-xml":
        return rest.compile_operation(model, rest_xml.XmlBodies(_rest_xml(name), _namespace(model)), _root(model))
    dialect = _dialect(protocol)
    return rpc_v2_cbor.compile_operation(model, _cbor_trees(name, dialect), dialect)


def _dialect(protocol: Protocol) -> Dialect:
    return rpc_v2_cbor.AWS_CBOR if protocol == "aws-cbor" else rpc_v2_cbor.RPC_V2


def _root(model: OperationModel) -> str:
    if model.service.name == s3.SERVICE and model.name in s3.ROOTS:
        return s3.ROOTS[model.name]
    return model.output.wire_name or model.output.name.removesuffix("Output")


def _namespace(model: OperationModel) -> str | None:
    return s3.NAMESPACE if model.service.name == s3.SERVICE else model.service.metadata.get("xmlNamespace")


@cache
def _json_trees(service: str) -> TreeCompiler:
    return json.trees()


@cache
def _cbor_trees(service: str, dialect: Dialect) -> TreeCompiler:
    return rpc_v2_cbor.trees(dialect)


@cache
def _query_inputs(service: str) -> QueryCompiler:
    return QueryCompiler()


@cache
def _query_xml(service: str) -> XmlCompiler:
    return XmlCompiler("iso8601")


@cache
def _rest_xml(service: str) -> XmlCompiler:
    return XmlCompiler("iso8601millis")
