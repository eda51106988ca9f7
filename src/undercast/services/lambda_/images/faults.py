"""Why an image is not taken. The texts go into StateReason, the codes into StateReasonCode.

AWS: Lambda API Reference, FunctionConfiguration (StateReasonCode: InvalidImage, ImageAccessDenied, ImageDeleted).
"""


class ImageError(Exception):
    """The root of the errors below."""

    code = "InvalidImage"


class InvalidImage(ImageError):
    """It is broken, unsafe or too large."""


class UnsupportedImage(ImageError):
    """Its manifest, config or layers are of a kind that is not read here."""


class ImageMissing(ImageError):
    """Nothing is there under its name."""

    code = "ImageDeleted"


class ImageDenied(ImageError):
    """Whoever has it does not give it to us."""

    code = "ImageAccessDenied"


DENIED = "Lambda does not have permission to access the ECR image. Check the ECR permissions."
_REASONS = {
    "InvalidImage": "The image cannot be used:",
    "ImageDeleted": "The image is not there any more:",
    "ImageAccessDenied": DENIED,
}


def reason_of(error: ImageError) -> str:
    """StateReason. `reason_code` finds the code again."""
    return f"{_REASONS[error.code]} {error}"


def reason_code(reason: str) -> str | None:
    """StateReasonCode of a reason; None where it is not an image's."""
    return next((code for code, beginning in _REASONS.items() if reason.startswith(beginning)), None)
