"""The first function: says what time it has, to a function or to a server, and returns what comes back.

CLOCK_OFF_MS is how wrong the clock of an environment may be: each draws its own error from -x to x. CLOCK_ERROR_MS sets it.
"""

import json
import os
import random
import time
import urllib.request

import boto3

MOST_MS = float(os.environ.get("CLOCK_OFF_MS", "0"))
ERROR_MS = float(os.environ.get("CLOCK_ERROR_MS", random.uniform(-MOST_MS, MOST_MS)))
CLIENT = boto3.client("lambda")


def now_ns() -> int:
    """This environment's clock."""
    return time.time_ns() + int(ERROR_MS * 1e6)


def handler(event, context):
    sent = json.dumps({"sent_ns": now_ns()})
    if server := os.environ.get("SERVER"):
        with urllib.request.urlopen(server, data=sent.encode(), timeout=10) as answer:
            return int(answer.read())
    answer = CLIENT.invoke(FunctionName=os.environ["DESTINATION"], Payload=sent)
    return json.load(answer["Payload"])
