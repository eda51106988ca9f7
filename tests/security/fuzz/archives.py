"""Deployment packages that nobody should unpack: corrupt, bombs, paths and links that lead out of the tree.

AWS: Lambda Developer Guide, "Lambda quotas" (250 MB unzipped); CreateFunction answers InvalidParameterValueException.
"""

import io
import random
import stat
import struct
import zipfile
from functools import cache

HANDLER = b"def handler(event, context):\n    return event\n"


def packed(entries: dict[str, bytes], *, links: dict[str, str] | None = None) -> bytes:
    """A zip of files and symbolic links."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        for name, aim in (links or {}).items():
            info = zipfile.ZipInfo(name)
            info.create_system = 3
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, aim)
    return buffer.getvalue()


@cache
def good() -> bytes:
    """A package that works."""
    return packed({"app.py": HANDLER})


@cache
def hostile() -> tuple[bytes, ...]:
    """Packages that must be refused, or unpacked without leaving their folder."""
    whole = good()
    many = packed({f"d{number}/f": b"" for number in range(3000)})
    lies = bytearray(packed({"app.py": b"\0" * 100_000}))
    at = lies.find(b"PK\x01\x02")
    struct.pack_into("<I", lies, at + 24, 0xFFFFFFF0)
    small = bytearray(packed({"app.py": b"\0" * 100_000}))
    struct.pack_into("<I", small, small.find(b"PK\x01\x02") + 24, 1)
    return (
        b"",
        b"PK",
        b"PK\x05\x06" + b"\0" * 18,
        b"PK\x05\x06" + b"\xff" * 18,
        whole[:-10],
        whole[len(whole) // 2 :],
        whole + whole,
        b"\x7fELF" + whole,
        whole.replace(b"handler", b"hand\0er"),
        packed({"../evil.py": HANDLER}),
        packed({"a/../../evil.py": HANDLER}),
        packed({"/etc/evil": HANDLER}),
        packed({"..\\evil.py": HANDLER, "C:\\evil": HANDLER}),
        packed({"app.py": HANDLER, "app.py/inner": HANDLER}),
        packed({"é漢😀.py": HANDLER, "a" * 250: HANDLER, "a" * 4000: HANDLER}),
        packed({"/".join("d" * 900): HANDLER}),
        packed({".": HANDLER, "..": HANDLER, "": HANDLER}),
        packed({"app.py": HANDLER}, links={"out": "/etc/passwd"}),
        packed({"app.py": HANDLER}, links={"out": "../../../../../../etc"}),
        packed({"dir/app.py": HANDLER}, links={"dir2": "/tmp", "dir2/x": "y"}),
        packed({"app.py": HANDLER}, links={"loop": "loop"}),
        many,
        bytes(lies),
        bytes(small),
    )


@cache
def bomb() -> bytes:
    """264 MiB of zeros in 260 KiB: more than AWS's 250 MB unzipped."""
    return packed({f"zero{number}": b"\0" * (44 << 20) for number in range(6)})


def archive(chance: random.Random) -> bytes:
    """One of them, or a good one with bits flipped."""
    kind = chance.random()
    if kind < 0.02:
        return bomb()
    if kind < 0.6:
        return chance.choice(hostile())
    spoilt = bytearray(good())
    for _ in range(chance.randint(0, 6)):
        spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
    return bytes(spoilt)
