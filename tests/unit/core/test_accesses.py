"""What requests need, kept."""

from undercast.core.accesses import Accesses
from undercast.core.service import Access


def test_an_access_is_the_same_object_until_its_basis_is_another() -> None:
    """`gateway.auth` knows it by its identity."""
    accesses = Accesses()

    def made() -> Access:
        return Access(action="sns:Publish", resource="arn")

    first = accesses.find("sns:Publish", "arn", "policy", made)
    assert accesses.find("sns:Publish", "arn", "policy", made) is first
    other = accesses.find("sns:Publish", "arn", "another", made)
    assert other is not first
    assert accesses.find("sns:Publish", "arn", "another", made) is other
    assert accesses.find("sns:Publish", "arn 2", "another", made) is not other
