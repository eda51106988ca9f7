"""How programs share the reservoir of a sampling rule.

AWS: X-Ray Developer Guide, "Using the X-Ray API: sampling" (GetSamplingTargets, ReservoirQuotaTTL).
"""

from undercast.services.xray.sampling import Reservoirs

KEY = ("111122223333", "us-east-1", "r")


def test_a_program_that_asks_no_more_gives_its_part_back_after_a_minute() -> None:
    """And a quota may be used for that minute. Each program has at least one, where there is any."""
    reservoirs = Reservoirs()
    assert reservoirs.quota(KEY, "a", 10, 0.0) == (10, 60.0)
    assert reservoirs.quota(KEY, "b", 10, 30.0) == (5, 90.0)
    assert reservoirs.quota(KEY, "b", 10, 59.9) == (5, 119.9)
    assert reservoirs.quota(KEY, "b", 10, 60.0) == (10, 120.0)
    assert reservoirs.quota(KEY, "a", 1, 61.0) == (1, 121.0)
    assert reservoirs.quota(KEY, "a", 0, 61.0) == (0, 121.0)
    assert reservoirs.quota((*KEY[:2], "other"), "a", 10, 61.0) == (10, 121.0)
