"""Where a deployment package comes from: the request itself, or an object in S3.

AWS: Lambda API Reference, "FunctionCode"; S3's refusals are repeated in Lambda's words.
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.body import BodyStream
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError, refused_member
from undercast.services.lambda_ import hot_reload, package
from undercast.services.lambda_.code import Package
from undercast.services.lambda_.errors import invalid, too_large, user_error
from undercast.services.lambda_.instance import Lambda

MAX_REQUEST_BYTES = 70_167_211
"""A request that carries 50 MB of zip in base64, and its other members."""
_UNSUPPORTED = {
    "SourceKMSKeyArn": "packages are kept unencrypted, so no key of KMS would be asked for them",
}


async def accept_code(functions: Lambda, ctx: RequestContext, operation: str, code: Mapping[str, Any]) -> Package:
    """The package, checked and stored. Raises AWS's error for one that is missing, broken or too large."""
    if code.get("ImageUri"):
        verb = "creating" if operation == "CreateFunction" else "updating"
        raise invalid(f"Please don't provide ImageUri when {verb} a function with packageType Zip.")
    for member, reason in _UNSUPPORTED.items():
        if code.get(member):
            raise refused_member(operation, member, reason)
    if code.get("S3ObjectStorageMode", "COPY") != "COPY":
        raise refused_member(operation, "S3ObjectStorageMode", "code is copied")
    if (zipped := code.get("ZipFile")) is not None:
        if code.get("S3Bucket") or code.get("S3Key"):
            raise invalid("Please do not provide other FunctionCode parameters when providing a ZipFile.")
        if len(zipped) > package.MAX_ZIP_BYTES:
            raise too_large(f"Request must be smaller than {MAX_REQUEST_BYTES} bytes for the {operation} operation")
        return await functions.code.accept(zipped)
    if not code.get("S3Bucket") or not code.get("S3Key"):
        raise invalid("Please provide a source for function code.")
    if code["S3Bucket"] == hot_reload.BUCKET:
        return await functions.hot_reload.accept(ctx, operation, code)
    return await functions.code.accept(await _object(ctx, code))


async def accept_image(
    functions: Lambda, ctx: RequestContext, operation: str, code: Mapping[str, Any], architecture: str
) -> Package:
    """The container image, found and read. Raises AWS's error for one that is missing, broken or of another kind."""
    if not code.get("ImageUri"):
        verb = "creating" if operation == "CreateFunction" else "updating"
        raise invalid(f"Please provide ImageUri when {verb} a function with packageType Image.")
    if others := [member for member in ("ZipFile", "S3Bucket", "S3Key", "S3ObjectVersion") if code.get(member)]:
        raise invalid(f"Please don't provide {', '.join(others)} together with ImageUri.")
    if code.get("SourceKMSKeyArn"):
        raise refused_member(operation, "SourceKMSKeyArn", _UNSUPPORTED["SourceKMSKeyArn"])
    if unable := functions.environments.takes_images():
        raise invalid(f"PackageType Image cannot run here: {unable}.")
    return await functions.images.accept(ctx, code["ImageUri"], architecture)


async def _object(ctx: RequestContext, code: Mapping[str, Any]) -> BodyStream:
    params = {"Bucket": code["S3Bucket"], "Key": code["S3Key"]}
    if code.get("S3ObjectVersion"):
        params["VersionId"] = code["S3ObjectVersion"]
    try:
        found = await ctx.call("s3", "GetObject", params)
    except ServiceError as error:
        raise _refused(error, params) from error
    body = found["Body"]
    if isinstance(body, BodyStream):
        return body
    return BodyStream.of(body) if isinstance(body, bytes) else BodyStream(body, found.get("ContentLength"))


def _refused(error: ServiceError, params: Mapping[str, str]) -> ServiceError:
    detail = f"S3 Error Code: {error.code}. S3 Error Message: {error.message}"
    if error.code == "AccessDenied":
        return user_error(
            "AccessDeniedException",
            "Your access has been denied by S3, please make sure your request credentials have permission to "
            f"GetObject for {params['Bucket']}/{params['Key']}. {detail}",
            403,
        )
    return invalid(f"Error occurred while GetObject. {detail}") if error.status < 500 else error
