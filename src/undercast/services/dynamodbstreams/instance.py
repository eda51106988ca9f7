"""DynamoDB Streams as its operations see it, and the task that trims what is over 24 hours old.

AWS: DynamoDB Developer Guide, "Data retention limit for DynamoDB Streams".
"""

from undercast.core.accesses import Accesses
from undercast.core.clock import PlatformClock
from undercast.core.recurring import Rounds
from undercast.services import table_streams
from undercast.services.dynamodbstreams.measures import Measures
from undercast.store.database import Database, Row

ROUND_S = 600.0
_AT_ONCE = 1000


class Streams:
    """One per platform. `rounds`, which trim, are started and stopped with it."""

    def __init__(self, database: Database, clock: PlatformClock, measures: Measures) -> None:
        self.database = database
        self.clock = clock
        self.measures = measures
        self.accesses = Accesses()
        self.rounds = Rounds("DynamoDB Streams' trimming", self._round, clock, ROUND_S)
        self._found: Row | None = None
        self._asked = ""
        self._commits: int | None = None

    def find(self, arn: str) -> Row | None:
        """A stream's row. Read once for authorisation and operation, and again once something is committed."""
        commits = self.database.commits
        if commits is None or commits != self._commits or arn != self._asked:
            self._found = self.database.read_row(lambda tx: table_streams.find(tx, arn))
            self._asked, self._commits = arn, commits
        return self._found

    def forget(self) -> None:
        """The rows were deleted behind our back."""
        self._asked = ""

    async def _round(self) -> None:
        more = True
        while more:
            more = await self.database.write(lambda tx: table_streams.trim(tx, self.clock.now(), _AT_ONCE), long=True)
