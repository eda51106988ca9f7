"""The three kinds of entity that carry policies, as data.

AWS: IAM User Guide, "IAM identifiers", "IAM and AWS STS quotas".
"""

from undercast.core.record import record


@record
class Kind:
    """One kind of entity. Limits are AWS's defaults."""

    name: str
    """As in ARNs and messages: "role"."""
    label: str
    """As in operation and member names: "Role"."""
    id_prefix: str
    entities_per_account: int
    inline_bytes: int
    """Sum of the sizes of all inline policies, white space not counted."""

    @property
    def name_member(self) -> str:
        """The member that names it in requests: "RoleName"."""
        return f"{self.label}Name"

    @property
    def policies_quota(self) -> str:
        """The name of its quota of attached policies."""
        return f"PoliciesPer{self.label}"


ROLE = Kind(name="role", label="Role", id_prefix="AROA", entities_per_account=1000, inline_bytes=10_240)
USER = Kind(name="user", label="User", id_prefix="AIDA", entities_per_account=5000, inline_bytes=2_048)
GROUP = Kind(name="group", label="Group", id_prefix="AGPA", entities_per_account=300, inline_bytes=5_120)
KINDS = (ROLE, USER, GROUP)
ATTACHED_POLICIES = 10
"""Managed policies per entity, of each kind."""
