"""What a parameter may hold: sizes by tier, patterns, data types.

Pure. AWS: Systems Manager API Reference, PutParameter; User Guide, "Working with parameter data types in Parameter
Store".
"""

import json
import re
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv6Address

import re2

from undercast.core.errors import ServiceError, refused_member
from undercast.services.ssm.errors import invalid

STANDARD, ADVANCED, INTELLIGENT = "Standard", "Advanced", "Intelligent-Tiering"
_BYTES = {STANDARD: 4096, ADVANCED: 8192}
_AMI = re.compile(r"ami-([0-9a-f]{8}|[0-9a-f]{17})")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_HOSTNAME = re.compile(r"(?=.{1,253}$)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9-]{1,63}")
_LINEAR = re2.Options()
"""A caller's pattern meets RE2: `re` would let one pattern stop the platform for hours."""
_LINEAR.log_errors = False
_LINEAR.max_mem = 1 << 20
_EMAIL = re2.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+", _LINEAR)
_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)


def tier_for(wanted: str, value: str, policies: str) -> str:
    """The tier that a value gets. Raises ValidationException where the one that is asked for cannot hold it."""
    size = len(value.encode())
    if wanted == INTELLIGENT:
        wanted = ADVANCED if policies or size > _BYTES[STANDARD] else STANDARD
    if size <= _BYTES[wanted]:
        return wanted
    if wanted == STANDARD:
        raise invalid(
            "Standard tier parameters support a maximum parameter value of 4096 characters. To create a larger "
            "parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see "
            "https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"
        )
    raise invalid("Advanced tier parameters support a maximum parameter value of 8192 characters.")


def check_pattern(pattern: str, value: str) -> None:
    """Raises InvalidAllowedPatternException or ParameterPatternMismatchException."""
    if not pattern:
        return
    try:
        matches = re2.search(pattern, value, _LINEAR) is not None
    except re2.error as error:
        text = f"Invalid AllowedPattern: {pattern} is not a valid regular expression here: {error.args[0].decode()}."
        raise ServiceError("InvalidAllowedPatternException", text) from None
    if not matches:
        text = f"Parameter value, cannot be validated against allowedPattern: {pattern}"
        raise ServiceError("ParameterPatternMismatchException", text)


def check_data_type(data_type: str, value: str) -> None:
    """Raises ValidationException where the value is none of its data type."""
    if data_type == "aws:ssm:integration":
        # Systems Manager User Guide, "Creating webhook integrations for Automation": only its runbooks read them.
        raise refused_member("PutParameter", f"DataType={data_type}", "there is no Automation for its webhook")
    check = _DATA_TYPES.get(data_type)
    if check is None:
        raise invalid(f"The following data type is not supported: {data_type} (Data type names are all lowercase.)")
    try:
        fits = check(value)
    except (ValueError, RecursionError):  # of JSON that is nested thousands deep
        fits = False
    if not fits:
        raise invalid(f"The parameter value is not a valid {data_type}.")


def _is_json(value: str) -> bool:
    json.loads(value)
    return True


def _is_jsonc(value: str) -> bool:
    without = re.sub(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', lambda found: found[1] or "", value, flags=re.DOTALL)
    return _is_json(without)


_DATA_TYPES: Mapping[str, Callable[[str], bool]] = {
    "text": lambda value: True,
    "aws:ec2:image": lambda value: _AMI.fullmatch(value) is not None,
    "aws:region": lambda value: _REGION.fullmatch(value) is not None,
    "aws:account:id": lambda value: re.fullmatch(r"\d{12}", value) is not None,
    "boolean": lambda value: value in ("true", "false"),
    "integer": lambda value: re.fullmatch(r"[+-]?\d+", value) is not None,
    "float": lambda value: bool(value.strip()) and float(value) is not None,
    "binary": lambda value: re.fullmatch(r"[A-Za-z0-9+/]*={0,2}", value) is not None,
    "hostname": lambda value: _HOSTNAME.fullmatch(value) is not None,
    "email": lambda value: _EMAIL.fullmatch(value) is not None,
    "ipv4-address": lambda value: bool(IPv4Address(value)) or value == "0.0.0.0",
    "ipv6-address": lambda value: bool(IPv6Address(value)) or value == "::",
    "url": lambda value: _URL.fullmatch(value) is not None,
    "json": _is_json,
    "jsonc": _is_jsonc,
}
