"""multipart/form-data, however its bytes are cut."""

from collections.abc import AsyncIterator

import pytest

from undercast.core.errors import ServiceError
from undercast.wire.multipart import MAX_BYTES_BEFORE_FILE, Form, FormReader

TYPE = 'multipart/form-data; boundary="b-1"'
FILE = b"one\r\n--b-\r\n--b two\r\n"
BODY = (
    b'preamble\r\n--b-1\r\nContent-Disposition: form-data; name="Key"\r\n\r\na/${filename}\r\n--b-1\r\n'
    b'content-disposition: form-data; name="x-amz-meta-n"\r\nContent-Type: a/b\r\n\r\n\xc3\xa9\r\n\r\n--b-1  \r\n'
    b'Content-Disposition: form-data; name="file"; filename="C:\\dir\\f 1.txt"\r\nContent-Type: a/b\r\n\r\n'
    + FILE
    + b'\r\n--b-1\r\nContent-Disposition: form-data; name="submit"\r\n\r\nUpload\r\n--b-1--\r\n'
)


async def pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    """The bytes in pieces of one size."""
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def read(data: bytes, size: int = 1 << 20, content_type: str = TYPE) -> tuple[Form, bytes]:
    """The fields and the file."""
    reader = FormReader(pieces(data, size), content_type)
    form = await reader.form()
    return form, b"".join([part async for part in reader.file()]) if form.filename is not None else b""


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 100_000])
async def test_fields_and_file_are_read_however_they_are_cut(size: int) -> None:
    """Names in lower case, UTF-8 values, line ends and near-delimiters in the file, the end of the file's path."""
    form, file = await read(BODY, size)
    assert form.fields == {"key": "a/${filename}", "x-amz-meta-n": "é\r\n"}
    assert (form.filename, file) == ("f 1.txt", FILE)


async def test_a_form_without_a_file_says_so() -> None:
    """The closing delimiter need not end with a line."""
    form, _ = await read(b'--b-1\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n--b-1--')
    assert form == Form(fields={"key": "k"}, filename=None)


@pytest.mark.parametrize("end", [1, 20, 100, 200, BODY.index(FILE), BODY.index(FILE) + len(FILE) + 3])
async def test_a_form_that_ends_early_is_refused(end: int) -> None:
    """Nobody can commit half a file."""
    with pytest.raises(ServiceError) as caught:
        await read(BODY[:end], 50)
    assert (caught.value.code, caught.value.status) == ("MalformedPOSTRequest", 400)


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (BODY, "multipart/form-data"),
        (b"--b-1\r\nContent-Type: a/b\r\n\r\nx\r\n--b-1--", TYPE),
        (b"--b-1\r\nContent-Disposition: form-data; name=\r\n\r\nx\r\n--b-1--", TYPE),
        (b'--b-1\r\nContent-Disposition: form-data; name="k"\r\n\r\n\xff\r\n--b-1--', TYPE),
    ],
)
async def test_what_is_no_form_is_refused(data: bytes, content_type: str) -> None:
    """No boundary, no disposition, no name, no UTF-8."""
    with pytest.raises(ServiceError) as caught:
        await read(data, content_type=content_type)
    assert caught.value.code == "MalformedPOSTRequest"


@pytest.mark.parametrize("size", [1000, 1 << 20])
async def test_fields_are_limited(size: int) -> None:
    """20 KB before the file."""
    field = b'--b-1\r\nContent-Disposition: form-data; name="k"\r\n\r\n' + b"x" * MAX_BYTES_BEFORE_FILE + b"\r\n"
    with pytest.raises(ServiceError) as caught:
        await read(field + BODY, size)
    assert caught.value.code == "MaxPostPreDataLengthExceededError"


async def test_the_file_is_read_no_faster_than_it_is_taken() -> None:
    """Back-pressure: one piece of the body for one piece of the file."""
    taken = 0

    async def counted() -> AsyncIterator[bytes]:
        nonlocal taken
        async for piece in pieces(BODY.replace(FILE, b"z" * 1_000_000), 10_000):
            taken += 1
            yield piece

    reader = FormReader(counted(), TYPE)
    await reader.form()
    file = reader.file()
    for count in range(1, 20):
        await anext(file)
        assert taken <= count + 1
