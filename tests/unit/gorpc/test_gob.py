"""encoding/gob against bytes that Go wrote, and against bytes that nobody would."""

import random

import pytest

from undercast.sandbox.gorpc.gob import Decoder, Encoder, GobError, Value, message_size
from undercast.sandbox.gorpc.messages import INVOKE_REQUEST, REQUEST

RESPONSES = bytes.fromhex(
    "397f03010108526573706f6e736501ff80000103010d536572766963654d6574686f64010c00010353657101060001054572726f72010c00"
    "000012ff80010d46756e6374696f6e2e50696e670018ff810301010c50696e67526573706f6e736501ff8200000003ff820016ff80010f46"
    "756e6374696f6e2e496e766f6b6501010033ff830301010e496e766f6b65526573706f6e736501ff8400010201075061796c6f6164010a00"
    "01054572726f7201ff8600000056ff8503010114496e766f6b65526573706f6e73655f4572726f7201ff8600010401074d65737361676501"
    "0c00010454797065010c00010a537461636b547261636501ff8a00010a53686f756c644578697401020000003aff890201012b5b5d2a6d65"
    "7373616765732e496e766f6b65526573706f6e73655f4572726f725f537461636b4672616d6501ff8a0001ff88000028ff87030102ff8800"
    "0103010450617468010c0001044c696e6501040001054c6162656c010c0000000cff8401077b2261223a317d0018ff80010f46756e637469"
    "6f6e2e496e766f6b6501fe012c0021ff840201016d010174010201017001fd0222e001016c00020501016b0001010000"
)
"""Go 1.26, net/rpc.Response and aws-lambda-go v1.13.2's messages: a ping, a result, an error with two frames."""
REQUESTS = bytes.fromhex(
    "2fff81030101075265717565737401ff82000102010d536572766963654d6574686f64010c000103536571010600000016ff82010f46756e"
    "6374696f6e2e496e766f6b65010100ffadff830301010d496e766f6b655265717565737401ff8400010801075061796c6f6164010a000109"
    "526571756573744964010c00010c58416d7a6e54726163654964010c000108446561646c696e6501ff86000112496e766f6b656446756e63"
    "74696f6e41726e010c000111436f676e69746f4964656e746974794964010c000115436f676e69746f4964656e74697479506f6f6c496401"
    "0c00010d436c69656e74436f6e74657874010a0000003bff8503010117496e766f6b65526571756573745f54696d657374616d7001ff8600"
    "010201075365636f6e647301040001054e616e6f73010400000023ff8401027b7d0101720101780101fccaa7e20001fd9896800001036172"
    "6e03027b7d00"
)
"""What Go's own encoder writes for the request below when it has described no other type before; Go reads it back."""


def values(stream: bytes) -> list[dict[str, Value]]:
    """All structs of a stream."""
    decoder, found, at = Decoder(), [], 0
    while at < len(stream):
        place = message_size(stream, at)
        if place is None or place[1] > len(stream):
            raise GobError("cut off")
        value = decoder.decode(stream[place[0] : place[1]])
        at = place[1]
        if value is not None:
            found.append(value)
    return found


def test_what_go_wrote_is_read() -> None:
    """Nested structs, lists of structs, zero fields left out, negative and long numbers."""
    assert values(RESPONSES) == [
        {"ServiceMethod": "Function.Ping"},
        {},
        {"ServiceMethod": "Function.Invoke", "Seq": 1},
        {"Payload": b'{"a":1}'},
        {"ServiceMethod": "Function.Invoke", "Seq": 300},
        {
            "Error": {
                "Message": "m",
                "Type": "t",
                "StackTrace": [{"Path": "p", "Line": 70000, "Label": "l"}, {"Line": -3, "Label": "k"}],
                "ShouldExit": True,
            }
        },
    ]


def test_what_we_write_is_what_go_writes() -> None:
    """Byte by byte; a type is described once per stream."""
    encoder = Encoder()
    request: dict[str, object] = {
        "Payload": b"{}",
        "RequestId": "r",
        "XAmznTraceId": "x",
        "Deadline": {"Seconds": 1700000000, "Nanos": 5000000},
        "InvokedFunctionArn": "arn",
        "ClientContext": b"{}",
    }
    head = encoder.encode(REQUEST, {"ServiceMethod": "Function.Invoke", "Seq": 1})
    assert head + encoder.encode(INVOKE_REQUEST, request) == REQUESTS
    assert len(encoder.encode(INVOKE_REQUEST, request)) == 0x23 + 1


def test_our_own_values_come_back() -> None:
    """Every length of number and of text."""
    encoder, stream, sent = Encoder(), b"", []
    for number in (0, 1, 63, 64, 127, 128, 255, 256, 65535, 1 << 31, (1 << 63) - 1, -1, -64, -65, -(1 << 63)):
        value = {"Deadline": {"Seconds": number}, "Payload": b"p" * (abs(number) % 1000)}
        stream += encoder.encode(INVOKE_REQUEST, value)
        sent.append(number)
    found = values(stream)
    deadlines = [value.get("Deadline", {}) for value in found]
    assert [deadline.get("Seconds", 0) for deadline in deadlines if isinstance(deadline, dict)] == sent


@pytest.mark.parametrize(
    "stream",
    [
        "02ff",  # a type id of 255 bytes
        "03ff8001",  # a value of a type that was not described
        "0c7f030101015201ff800001ff",  # a description that ends too early
        "05f8ffffffff",  # a length of 2^64
        "0104",  # a value that is no struct
    ],
)
def test_nonsense_is_refused(stream: str) -> None:
    """GobError, nothing else."""
    with pytest.raises(GobError):
        values(bytes.fromhex(stream))


def test_a_list_is_no_longer_than_its_message() -> None:
    """A count of 2^40 elements makes no list of 2^40 elements."""
    at = RESPONSES.index(bytes.fromhex("010201017001fd"))  # StackTrace: two elements
    hostile = RESPONSES[:at] + bytes.fromhex("01fb01000000000001017001fd") + RESPONSES[at + 7 :]
    with pytest.raises(GobError):
        values(hostile)


def test_any_change_of_bytes_gives_a_value_or_a_gob_error() -> None:
    """Five thousand mutations of a real stream: no other exception, and never more than was sent."""
    chance = random.Random(7)
    for _ in range(5000):
        stream = bytearray(RESPONSES)
        for _ in range(chance.randint(1, 4)):
            kind, at = chance.randrange(3), chance.randrange(len(stream))
            if kind == 0:
                stream[at] = chance.randrange(256)
            elif kind == 1:
                del stream[at : at + chance.randint(1, 9)]
            else:
                stream[at:at] = chance.randbytes(chance.randint(1, 9))
        try:
            found = values(bytes(stream))
        except GobError:
            continue
        assert len(repr(found)) < 20 * len(stream)
