"""The `undercast` command with a death of its own: `python -m tests.crash.doomed STEP OF NEWER start ...`.

It kills itself at that SQL statement, rename or removal (of those that begin like the pattern OF; never when STEP is
0), and is a program that has NEWER further migrations of S3's and the logs' tables: started on a folder of a program
that had fewer, it migrates.
"""

import sys

from tests.crash.ledger import die_at_step
from undercast.cli import main as command
from undercast.services.logs import schema as logs
from undercast.services.s3 import schema as s3

# Half of either step is visible: no object would be found, no line be a number.
KEYS = (
    "CREATE TABLE s3_newer_{0} (n INTEGER); UPDATE s3_object SET key = '~' || key;"
    "UPDATE s3_object SET key = SUBSTR(key, 2);"
)
LINES = (
    "UPDATE logs_event SET message = '~' || message; CREATE TABLE logs_newer_{0} (n INTEGER);"
    "UPDATE logs_event SET message = SUBSTR(message, 2);"
)


def grow_newer(steps: int) -> None:
    """Give two services further migrations."""
    vars(s3)["SCHEMA"] = (*s3.SCHEMA, *map(KEYS.format, range(steps)))
    vars(logs)["JOURNAL_SCHEMA"] = (*logs.JOURNAL_SCHEMA, *map(LINES.format, range(steps)))


if __name__ == "__main__":
    if int(sys.argv[1]):
        die_at_step(int(sys.argv[1]), sys.argv[2])
    grow_newer(int(sys.argv[3]))
    sys.argv = ["undercast", *sys.argv[4:]]
    command.main()
