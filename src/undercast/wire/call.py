"""One AWS request whose head has been understood.

Frozen. Made by `wire.decode.decode`; the body is read later, by `wire.decode.parse`.
AWS: Smithy's AWS protocol specifications, "Request binding".
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from undercast.core.http import HttpRequest
from undercast.core.record import record
from undercast.wire.sigv4_claims import Signature

Protocol = Literal["json", "aws-cbor", "query", "rest-json", "rest-xml", "smithy-rpc-v2-cbor"]
"""botocore's names; "aws-cbor" is AWS JSON 1.1 with its documents as CBOR (Java's SDKs on Kinesis)."""

AWS_CBOR = "application/x-amz-cbor-"
"""How the content type of an "aws-cbor" request begins."""


@record
class Call:
    """A request and what it asks for.

    `service` (botocore's name) and `operation` are "" where only the body names them (query protocol by POST);
    `parse` returns the completed call. An unread form has a service only; `form.opened` completes it.
    """

    request: HttpRequest
    service: str
    operation: str
    protocol: Protocol
    region: str | None = None
    signature: Signature | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    """Path labels by the name in the template, decoded."""
    query: tuple[tuple[str, str], ...] = ()
    """Decoded query string in order."""
    form: Mapping[str, str] | None = None
    """The fields of the browser's form that carried the call, names in lower case (`wire.form`)."""

    @property
    def anonymous(self) -> bool:
        """Whether the request carries no signature."""
        return self.signature is None
