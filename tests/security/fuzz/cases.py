"""One fuzz case per number: the same seed and number make the same bytes, but for the dates of signatures.

AWS: none.
"""

import base64
import json
import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.security.fuzz import archives, framing, signed, wounds
from tests.security.fuzz.corpus import Seed, seeds
from tests.security.fuzz.wounds import Draft


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Bytes to send. `framed`: exactly one response follows and the connection may go on; else all until the end."""

    number: int
    kind: str
    protocol: str
    operation: str
    method: str
    data: bytes
    framed: bool


class Cases:
    """Makes the cases of one seed."""

    def __init__(self, seed: int, key: signed.Key) -> None:
        self._seed = seed
        self._key = key
        # Made once, and by now: the seconds that it takes later would hold up every connection in use.
        archives.bomb()
        archives.hostile()
        corpus = seeds()
        self._mounted = [one for one in corpus if one.mounted]
        self._others = [one for one in corpus if not one.mounted]
        self._streams = [one for one in corpus if one.protocol == "event-stream"]
        self._cbor = [one for one in corpus if one.protocol == "smithy-rpc-v2-cbor"]
        self._bodies = [one for one in corpus if len(one.body) > 20]
        self._uploads = [one for one in self._mounted if one.operation in ("CreateFunction", "UpdateFunctionCode")]

    def case(self, number: int) -> Case:
        """The case of that number."""
        chance = random.Random(self._seed * 1_000_003 + number)
        return chance.choices(_KINDS, _WEIGHTS)[0](self, number, chance)

    def _pick(self, chance: random.Random) -> Seed:
        where = chance.random()
        if where < 0.62:
            return chance.choice(self._mounted)
        if where < 0.72:
            return chance.choice(self._cbor)
        return chance.choice(self._others)

    def _made(self, number: int, kind: str, seed: Seed, draft: Draft, data: bytes, *, framed: bool = True) -> Case:
        return Case(
            number=number,
            kind=kind,
            protocol=draft.protocol,
            operation=f"{seed.service}:{seed.operation}",
            method=draft.method,
            data=data,
            framed=framed,
        )

    def _valid(self, number: int, chance: random.Random) -> Case:
        seed = self._pick(chance)
        draft = draft_of(seed)
        data = framing.framed(draft) if chance.random() < 0.7 else framing.chunked(draft, chance)
        return self._made(number, "valid", seed, draft, data)

    def _wounded_body(self, number: int, chance: random.Random) -> Case:
        seed = chance.choice(self._bodies) if chance.random() < 0.7 else self._pick(chance)
        draft = draft_of(seed)
        for _ in range(chance.randint(1, 3)):
            chance.choice(wounds.BODY)(draft, chance)
        data = framing.framed(draft) if chance.random() < 0.9 else framing.chunked(draft, chance)
        return self._made(number, "body", seed, draft, data)

    def _wounded_structure(self, number: int, chance: random.Random) -> Case:
        seed = chance.choice(self._bodies) if chance.random() < 0.8 else self._pick(chance)
        draft = draft_of(seed)
        for _ in range(chance.randint(1, 3)):
            wounds.structure(draft, chance)
        return self._made(number, "structure", seed, draft, framing.framed(draft))

    def _wounded_head(self, number: int, chance: random.Random) -> Case:
        seed = self._pick(chance)
        draft = draft_of(seed)
        for _ in range(chance.randint(1, 3)):
            if draft.headers:
                chance.choice(wounds.HEAD)(draft, chance)
        return self._made(number, "head", seed, draft, framing.framed(draft))

    def _nested(self, number: int, chance: random.Random) -> Case:
        seed = chance.choice(self._bodies)
        draft = draft_of(seed)
        (wounds.oversize if chance.random() < 0.15 else wounds.nest)(draft, chance)
        return self._made(number, "nested", seed, draft, framing.framed(draft))

    def _stream(self, number: int, chance: random.Random) -> Case:
        seed = chance.choice(self._streams)
        draft = draft_of(seed)
        for _ in range(chance.randint(0, 3)):
            chance.choice(wounds.BODY)(draft, chance)
        data = framing.framed(draft) if chance.random() < 0.5 else framing.chunked(draft, chance)
        return self._made(number, "stream", seed, draft, data)

    def _signed(self, number: int, chance: random.Random) -> Case:
        seed = chance.choice(self._mounted)
        draft = draft_of(seed)
        before = chance.random() < 0.6
        if before:
            _some_wound(draft, chance)
        presigned = chance.random() < 0.4
        (signed.by_query if presigned else signed.by_header)(draft, self._key, seed.service)
        if not before and chance.random() < 0.7 and draft.headers:
            _some_wound(draft, chance)
        return self._made(number, "presigned" if presigned else "signed", seed, draft, framing.framed(draft))

    def _aws_chunked(self, number: int, chance: random.Random) -> Case:
        seed = chance.choice(self._mounted)
        payload = chance.randbytes(chance.choice((0, 1, 300, 20_000, 100_000)))
        if chance.random() < 0.5:
            draft = signed.chunk_signed(self._key, payload, chance, trailer=chance.random() < 0.5)
        else:
            draft = signed.unsigned_trailer(self._key, payload, chance)
        if chance.random() < 0.8:
            chance.choice((*wounds.BODY, wounds.header, wounds.spoil_header))(draft, chance)
        return self._made(number, "aws-chunked", seed, draft, framing.framed(draft))

    def _archive(self, number: int, chance: random.Random) -> Case:
        seed = chance.choice(self._uploads)
        draft = draft_of(seed)
        package = base64.b64encode(archives.archive(chance)).decode()
        name = f"zip-{chance.randrange(30)}"
        if seed.operation == "CreateFunction":
            draft.body = json.dumps(_creation(name, package)).encode()
        else:
            draft.target = f"/2015-03-31/functions/{chance.choice((name, 'fuzz-function-2'))}/code"
            draft.body = json.dumps({"ZipFile": package}).encode()
        return self._made(number, "archive", seed, draft, framing.framed(draft))

    def _broken(self, number: int, chance: random.Random) -> Case:
        seed = self._pick(chance)
        draft = draft_of(seed)
        data = chance.choice(framing.BREAKINGS)(draft, chance)
        return self._made(number, "framing", seed, draft, data, framed=False)


def draft_of(seed: Seed) -> Draft:
    """The seed, to be spoilt."""
    return Draft(
        protocol=seed.protocol, method=seed.method, target=seed.target, headers=dict(seed.headers), body=seed.body
    )


def whole(number: int, seed: Seed) -> Case:
    """The seed as it is."""
    draft = draft_of(seed)
    return Case(
        number=number,
        kind="seed",
        protocol=seed.protocol,
        operation=f"{seed.service}:{seed.operation}",
        method=seed.method,
        data=framing.framed(draft),
        framed=True,
    )


def _some_wound(draft: Draft, chance: random.Random) -> None:
    chance.choice((*wounds.BODY, *wounds.HEAD, wounds.structure))(draft, chance)


def _creation(name: str, package: str) -> dict[str, object]:
    return {
        "FunctionName": name,
        "Runtime": "python3.11",
        "Role": "arn:aws:iam::000000000000:role/fuzz-role",
        "Handler": "app.handler",
        "Code": {"ZipFile": package},
    }


Making = Callable[[Cases, int, random.Random], Case]
_KINDS: tuple[Making, ...] = (
    Cases._valid, Cases._wounded_body, Cases._wounded_structure, Cases._wounded_head, Cases._nested, Cases._stream,
    Cases._signed, Cases._aws_chunked, Cases._archive, Cases._broken,
)  # fmt: skip
_WEIGHTS = (8, 20, 20, 20, 2, 3, 8, 6, 1, 12)
