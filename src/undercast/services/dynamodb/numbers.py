"""DynamoDB's numbers: decimal, at most 38 significant digits, magnitudes from 1E-130 to 9.99...E+125.

Pure. A number is kept as the text in which DynamoDB gives it back: plain, without superfluous zeros.
AWS: DynamoDB Developer Guide, "Supported data types and naming rules in Amazon DynamoDB", Number.
"""

import re
from decimal import ROUND_DOWN, Context, Decimal

from undercast.core.errors import ServiceError

MAX_DIGITS = 38
MAX_EXPONENT, MIN_EXPONENT = 125, -130
"""Of the first significant digit."""
_BIAS = 200
_EXACT = Context(prec=300, Emax=100_000, Emin=-100_000, rounding=ROUND_DOWN)
"""Wide enough for the exact sum of the largest and the smallest number."""
_LONGEST_TEXT = 300
_PLAIN = re.compile(r"0|-?[1-9][0-9]{0,37}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_POSITIVE, _ZERO, _NEGATIVE = 0xC0, 0x80, 0x40


def canonical(text: str) -> str:
    """The text in which the number comes back. Raises ValidationException for what is no number or out of range."""
    return text if _PLAIN.fullmatch(text) else written(parsed(text))


def parsed(text: str) -> Decimal:
    """The number. Raises ValidationException."""
    if not _NUMBER.fullmatch(text) or len(text) > _LONGEST_TEXT:
        shown = f": {text}" if text else ""
        raise _invalid(f"The parameter cannot be converted to a numeric value{shown}")
    return checked(Decimal(text))


def checked(number: Decimal) -> Decimal:
    """The number, if it is one that DynamoDB keeps. Raises ValidationException."""
    if not number:
        return Decimal(0)
    if number.adjusted() > MAX_EXPONENT:
        raise _invalid("Number overflow. Attempting to store a number with magnitude larger than supported range")
    if number.adjusted() < MIN_EXPONENT:
        raise _invalid("Number underflow. Attempting to store a number with magnitude smaller than supported range")
    if len(_digits(number)) > MAX_DIGITS:
        raise _invalid("Attempting to store more than 38 significant digits in a Number")
    return number


def written(number: Decimal) -> str:
    """The text of a number that was checked."""
    return format(number.normalize(_EXACT), "f") if number else "0"


def added(left: str, right: str) -> str:
    """The exact sum. Raises ValidationException when it has no place in 38 digits."""
    return written(checked(_EXACT.add(Decimal(left), Decimal(right))))


def subtracted(left: str, right: str) -> str:
    """The exact difference. Raises ValidationException when it has no place in 38 digits."""
    return written(checked(_EXACT.subtract(Decimal(left), Decimal(right))))


def size_of(text: str) -> int:
    """In bytes: one for two significant digits, one for the exponent, one for a minus.

    AWS: Developer Guide, "DynamoDB item sizes and formats".
    """
    digits = len(text.lstrip("-").replace(".", "").strip("0"))
    return (digits + 1) // 2 + 1 + text.startswith("-")


def key(text: str) -> bytes:
    """Bytes that compare as the numbers do."""
    number = Decimal(text)
    if not number:
        return bytes((_ZERO,))
    digits = _digits(number)
    pairs = [int(digits[at : at + 2].ljust(2, "0")) + 1 for at in range(0, len(digits), 2)]
    exponent = number.adjusted() + _BIAS
    if number > 0:
        return bytes((_POSITIVE, *divmod(exponent, 256), *pairs))
    # Upside down: the larger, the earlier. The end is above each pair, so that a prefix comes after what it begins.
    return bytes((_NEGATIVE, *divmod(0xFFFF - exponent, 256), *(101 - pair for pair in pairs), 0xFF))


def _digits(number: Decimal) -> str:
    """The significant ones."""
    return "".join(map(str, number.as_tuple().digits)).strip("0")


def _invalid(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)
