"""XML of others: no document type definition, whatever the document's encoding.

Entities of a definition can make gigabytes out of a small body.
Amazon S3 API Reference, "Error responses": MalformedXML.
"""

import encodings
import pkgutil

import pytest

from undercast.core.errors import ServiceError
from undercast.wire.protocols.xml import parse_document

DEFINITION = '<!DOCTYPE a [<!ENTITY e "expanded">]>'


def document(encoding: str) -> str:
    return f'<?xml version="1.0" encoding="{encoding}"?>{DEFINITION}<a>&e;</a>'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("declared", ["utf-8", "utf-16", ""])
def test_a_document_type_definition_is_refused_in_every_encoding(encoding: str, declared: str) -> None:
    """The parser finds UTF-16 by the first bytes, too, with or without a byte order mark or a declaration."""
    text = document(declared) if declared else f"{DEFINITION}<a>&e;</a>"
    with pytest.raises(ServiceError) as refused:
        parse_document(text.encode(encoding))
    assert refused.value.code == "MalformedXML"


def test_no_declared_encoding_hides_a_definition() -> None:
    """A declaration is read as ASCII; the encodings that it may name keep ASCII's bytes."""
    tried = 0
    for name in [module.name for module in pkgutil.iter_modules(encodings.__path__)]:
        try:
            head, rest = f'<?xml version="1.0" encoding="{name}"?>'.encode(), f"{DEFINITION}<a>&e;</a>".encode(name)
            whole = document(name).encode(name)
        except (LookupError, UnicodeError, TypeError, AssertionError):
            continue  # no encoding of text
        tried += 1
        for data in (head + rest, whole):
            with pytest.raises(ServiceError):
                parse_document(data)
    assert tried > 60


def test_a_document_is_utf_8() -> None:
    """All that SDKs write is UTF-8, as the requests in S3's API Reference are."""
    assert parse_document("<a>\u00e9</a>".encode()).text == "\u00e9"
    assert parse_document("\ufeff<a>\u00e9</a>".encode()).text == "\u00e9"
    with pytest.raises(ServiceError):
        parse_document("<a>\u00e9</a>".encode("utf-16"))
