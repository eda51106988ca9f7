"""Reads a secret: with the SDK each time, or from the cache extension on the environment's loopback; or nothing.

Both ways keep their connection from one invocation to the next.
"""

import http.client
import os

import boto3

SECRET = "secret_info"
SECRETS = boto3.client("secretsmanager") if os.environ["WAY"] == "sdk" else None
CACHE = http.client.HTTPConnection("localhost", 4000, timeout=5) if os.environ["WAY"] == "cache" else None


def handler(event: dict, context: object) -> str:
    """The secret's value."""
    if not os.environ["WAY"]:
        return ""
    if SECRETS is not None:
        return SECRETS.get_secret_value(SecretId=SECRET)["SecretString"]
    CACHE.request("GET", f"/secrets?name={SECRET}")
    return CACHE.getresponse().read().decode()
