"""The second function: how long the time that it was sent has been over, in nanoseconds, by its own clock."""

import os
import random
import time

MOST_MS = float(os.environ.get("CLOCK_OFF_MS", "0"))
ERROR_MS = float(os.environ.get("CLOCK_ERROR_MS", random.uniform(-MOST_MS, MOST_MS)))


def handler(event, context):
    return time.time_ns() + int(ERROR_MS * 1e6) - event["sent_ns"]
