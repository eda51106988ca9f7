"""Statements of a function's resource policy, as AddPermission writes them.

Pure. AWS: Lambda API Reference, AddPermission; Developer Guide, "Viewing resource-based IAM policies in Lambda".
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from undercast.services.lambda_.errors import invalid

MAX_POLICY_BYTES = 20_480
_ACCOUNT = re.compile(r"\d{12}")
_ARN = re.compile(r"arn:aws[a-zA-Z-]*:(?:iam|sts)::\d{12}:.+")
_SERVICE = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?|[a-z0-9-]+\.alexa-[a-z-]+|edgelambda\..+")


def policy_document(statements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The policy that AddPermission's statements make."""
    return {"Version": "2012-10-17", "Id": "default", "Statement": list(statements)}


def statement(params: Mapping[str, Any], resource_arn: str) -> dict[str, Any]:
    """The statement that AddPermission's parameters ask for on a (qualified) function ARN."""
    conditions = _conditions(params)
    return {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": _principal(params["Principal"]),
        "Action": params["Action"],
        "Resource": resource_arn,
        **({"Condition": conditions} if conditions else {}),
    }


def _principal(text: str) -> str | dict[str, str]:
    if text == "*":
        return "*"
    if _ACCOUNT.fullmatch(text):
        return {"AWS": f"arn:aws:iam::{text}:root"}
    if _ARN.fullmatch(text):
        return {"AWS": text}
    if _SERVICE.fullmatch(text) or text == "alexa-appkit.amazon.com":
        return {"Service": text}
    raise invalid("The provided principal was invalid. Please check the principal and try again.")


def _conditions(params: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    equals = {
        "AWS:SourceAccount": params.get("SourceAccount"),
        "aws:PrincipalOrgID": params.get("PrincipalOrgID"),
        "lambda:EventSourceToken": params.get("EventSourceToken"),
        "lambda:FunctionUrlAuthType": params.get("FunctionUrlAuthType"),
    }
    found: dict[str, dict[str, str]] = {}
    if strings := {key: value for key, value in equals.items() if value}:
        found["StringEquals"] = strings
    if params.get("InvokedViaFunctionUrl") is not None:
        found["Bool"] = {"lambda:InvokedViaFunctionUrl": str(params["InvokedViaFunctionUrl"]).lower()}
    if params.get("SourceArn"):
        found["ArnLike"] = {"AWS:SourceArn": params["SourceArn"]}
    return found
