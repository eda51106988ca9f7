"""How the connections of a listener are served.

AWS: none.
"""

from dataclasses import field

from undercast.core.clock import Clock, HostClock
from undercast.core.record import record
from undercast.http.limits import HttpLimits


@record
class ServeOptions:
    """How connections are served."""

    limits: HttpLimits = field(default_factory=HttpLimits)
    environment_id: str | None = None
    """Stamped on every request (I10)."""
    ends_with_client: bool = False
    """Cancel the handler when the client goes, even by half-closing: for long polls. Else a started request runs on."""
    clock: Clock = field(default_factory=HostClock)
    """The host clock, for the Date header."""
