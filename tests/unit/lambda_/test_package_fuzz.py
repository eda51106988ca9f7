"""Packages that lie: whatever the bytes are, the answer is a plan or AWS's error, and nothing is written outside."""

import io
import os
import tempfile
import warnings
import zipfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.lambda_.conftest import zip_of
from undercast.core.errors import ServiceError
from undercast.services.lambda_ import code, package
from undercast.services.lambda_.package import UnsafePackage

SAMPLE = zip_of({"app.py": "x = 1\n" * 20, "lib/a/b.py": "y" * 50, "bin/run": "#!/bin/sh\n"})
NAMES = st.text(st.sampled_from(list("ab./\\\0 é")), min_size=1, max_size=12)
MODES = st.sampled_from([0, 0o100644, 0o100755, 0o040755, 0o120777, 0o020666, 0o010600])


def judged(data: bytes) -> bool:
    """Whether the package is accepted; then it is also unpacked, and must lie below its folder."""
    try:
        package.check(io.BytesIO(data))
    except ServiceError as error:
        assert error.code == "InvalidParameterValueException"
        return False
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        try:
            code._unpack(io.BytesIO(data), root / "work" / "1", root / "final")
        except UnsafePackage:
            return False
        final = (root / "final").resolve()
        for path in final.rglob("*"):
            # A link that leads to itself leads nowhere: Path.resolve() of Python 3.11 raises there.
            assert Path(os.path.realpath(path)).is_relative_to(final)
        assert {path.name for path in root.iterdir()} == {"work", "final"}
    return True


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_flipped_bytes(flips: list[tuple[int, int]]) -> None:
    """Bytes of a good package are overwritten."""
    data = bytearray(SAMPLE)
    for at, value in flips:
        data[at] = value
    judged(bytes(data))


@settings(max_examples=100)
@given(st.integers(0, len(SAMPLE)), st.binary(max_size=40))
def test_truncated_and_extended(length: int, tail: bytes) -> None:
    """A package ends early, or has something behind it."""
    judged(SAMPLE[:length] + tail)


@settings(max_examples=300)
@given(st.lists(st.tuples(NAMES, MODES, st.binary(max_size=20)), min_size=1, max_size=6))
def test_names_and_modes(entries: list[tuple[str, int, bytes]]) -> None:
    """Names that climb, repeat and contradict each other; links to anywhere."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")
        for name, mode, content in entries:
            info = zipfile.ZipInfo("x")
            info.filename = name
            info.external_attr = mode << 16
            archive.writestr(info, content)
    judged(buffer.getvalue())


@settings(max_examples=200)
@given(st.lists(st.tuples(NAMES, st.sampled_from(["..", ".", "a", "../a", "a/..", "/a", "b/a"])), max_size=5))
@example([("b", "b/a")])
def test_links_never_lead_out(links: list[tuple[str, str]]) -> None:
    """Links through links: every path of the tree resolves to a place inside it."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")
        for name, target in [*links, ("a/file", "")]:
            info = zipfile.ZipInfo("x")
            info.filename = name
            info.external_attr = (0o120777 if target else 0o100644) << 16
            archive.writestr(info, target or "content")
    judged(buffer.getvalue())
