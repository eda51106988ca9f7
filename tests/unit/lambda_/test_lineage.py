"""The chain of an invocation, in memory, in deliveries and in trace headers."""

from undercast.services.lambda_.lineage import (
    MOST_FUNCTIONS,
    Lineages,
    attributes_of,
    carried_by,
    decode,
    looping,
    mark,
    of_header,
    shared,
    with_chain,
)

ROOT = "Root=1-5759e988-bd862e3fe1be46a994272793"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"


def test_chain_survives_a_delivery() -> None:
    """Its attributes carry it; other invocations do not count."""
    lineages = Lineages()
    first = lineages.extend("", "arn:f", {})
    lineages.remember("1", first)
    second = lineages.extend("", "arn:f", carried_by(attributes_of(lineages.of("1"))))
    assert (second, carried_by(attributes_of(second))) == ({mark("arn:f"): 2}, second)
    assert lineages.extend("unknown", "arn:f", {}) == {mark("arn:f"): 1}
    assert looping({mark("arn:f"): 17}, "arn:f")
    assert not looping({mark("arn:f"): 16}, "arn:f")


def test_what_memory_and_event_say_is_one_chain() -> None:
    """A run that both know counts once."""
    lineages = Lineages()
    lineages.remember("1", {"aaaaaaaa": 3, mark("arn:f"): 2})
    assert lineages.extend("1", "arn:f", {"aaaaaaaa": 4}) == {"aaaaaaaa": 4, mark("arn:f"): 3}


def test_a_header_is_read_in_all_its_spellings() -> None:
    """X-Ray's guide has bars; botocore sends them percent-encoded; newer headers begin with a version."""
    chain = {"a87bd80c": 1, "68fd508a": 5}
    for value in ("a87bd80c:1|68fd508a:5", "a87bd80c:1%7C68fd508a:5", "1:a87bd80c:1|68fd508a:5"):
        assert of_header(f"{ROOT};Lineage={value};Sampled=0") == chain
    assert of_header(ROOT) == of_header(f"{ROOT};Lineage=nonsense") == {}
    assert (
        with_chain(f"{ROOT};Lineage=a87bd80c:9;Sampled=0", chain) == f"{ROOT};Sampled=0;Lineage=a87bd80c:1|68fd508a:5"
    )
    assert with_chain(ROOT, {}) == ROOT


def test_a_header_has_room_for_the_last_functions() -> None:
    """A long chain keeps those that ran last."""
    chain = {f"{number:08x}": 1 for number in range(100)}
    kept = of_header(with_chain(ROOT, chain))
    assert (len(kept), kept["00000063"]) == (MOST_FUNCTIONS, 1)


def test_a_chain_is_bounded_whatever_a_function_sends() -> None:
    """Thousands of chains are remembered: each of 32 functions at most, the last ones."""
    entries = [f"{number:08x}:1" for number in range(5000)]
    assert tuple(of_header(f"Root=1;Lineage={'|'.join(entries)}")) == tuple(f"{n:08x}" for n in range(340, 372))
    lineages = Lineages()
    lineages.remember("a", {f"{number:08x}": 1 for number in range(32)})
    chain = lineages.extend("a", ARN, decode("ffffffff:2"))
    assert len(chain) == 32
    assert tuple(chain)[-2:] == ("ffffffff", mark(ARN))


def test_a_batch_counts_what_its_messages_share() -> None:
    """No message counts for the past of another one."""
    assert shared({"aaaaaaaa": 5, "bbbbbbbb": 1}, {"aaaaaaaa": 3}) == {"aaaaaaaa": 3}
