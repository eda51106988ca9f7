"""S3's errors, one class per AWS code.

Each fixes its code, HTTP status and default text; the place that knows the fact adds members and headers.
AWS: S3 API Reference, "Error responses", "List of error codes".
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from undercast.core.errors import ServiceError


class S3Error(ServiceError):
    """An S3 error; the class name is the code unless `code_name` says otherwise."""

    status_code: ClassVar[int] = 400
    text: ClassVar[str] = ""
    code_name: ClassVar[str] = ""

    def __init__(
        self,
        message: str = "",
        *,
        members: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        code = self.code_name or type(self).__name__
        super().__init__(code, message or self.text, self.status_code, members=members, headers=headers)


class AccessControlListNotSupported(S3Error):
    text = "The bucket does not allow ACLs"


class AccessDenied(S3Error):
    status_code = 403
    text = "Access Denied"


class AccessForbidden(S3Error):
    status_code = 403
    text = (
        "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request "
        "method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the "
        "resource's CORS spec."
    )


class AuthorizationHeaderMalformed(S3Error):
    text = "The authorization header is malformed"


class BadDigest(S3Error):
    text = "The Content-MD5 you specified did not match what we received."


class BadRequest(S3Error):
    text = "Bad Request"


class BucketAlreadyExists(S3Error):
    status_code = 409
    text = (
        "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
        "Please select a different name and try again."
    )


class BucketAlreadyOwnedByYou(S3Error):
    status_code = 409
    text = "Your previous request to create the named bucket succeeded and you already own it."


class BucketNotEmpty(S3Error):
    status_code = 409
    text = "The bucket you tried to delete is not empty"


class EntityTooLarge(S3Error):
    text = "Your proposed upload exceeds the maximum allowed size"


class EntityTooSmall(S3Error):
    text = "Your proposed upload is smaller than the minimum allowed size"


class IllegalVersioningConfigurationException(S3Error):
    text = "The Versioning element must be specified"


class IllegalLocationConstraintException(S3Error):
    pass


class IncorrectEndpoint(S3Error):
    text = "The specified bucket exists in another region. Please direct requests to the specified endpoint."


class InvalidArgument(S3Error):
    text = "Invalid Argument"


class InvalidBucketAclWithObjectOwnership(S3Error):
    text = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"


class InvalidBucketName(S3Error):
    text = "The specified bucket is not valid."


class InvalidDigest(S3Error):
    text = "The Content-MD5 you specified was invalid."


class InvalidLocationConstraint(S3Error):
    text = "The specified location-constraint is not valid"


class InvalidObjectState(S3Error):
    status_code = 403
    text = "The operation is not valid for the object's storage class"


class InvalidPart(S3Error):
    text = (
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the "
        "specified entity tag may not match the part's entity tag."
    )


class InvalidPartNumber(S3Error):
    status_code = 416
    text = "The requested partnumber is not satisfiable"


class InvalidPartOrder(S3Error):
    text = "The list of parts was not in ascending order. Parts must be ordered by part number."


class InvalidRange(S3Error):
    status_code = 416
    text = "The requested range is not satisfiable"


class InvalidRequest(S3Error):
    text = "Invalid Request"


class InvalidStorageClass(S3Error):
    text = "The storage class you specified is not valid"


class InvalidTag(S3Error):
    text = "The tag provided was not a valid tag."


class KeyTooLongError(S3Error):
    text = "Your key is too long"


class MalformedACLError(S3Error):
    text = "The XML you provided was not well-formed or did not validate against our published schema"


class MalformedPolicy(S3Error):
    text = "Policies must be valid JSON and the first byte must be '{'"


class MalformedXML(S3Error):
    text = "The XML you provided was not well-formed or did not validate against our published schema"


class MetadataTooLarge(S3Error):
    text = "Your metadata headers exceed the maximum allowed metadata size"


class MethodNotAllowed(S3Error):
    status_code = 405
    text = "The specified method is not allowed against this resource."


class NoSuchBucket(S3Error):
    status_code = 404
    text = "The specified bucket does not exist"


class NoSuchBucketPolicy(S3Error):
    status_code = 404
    text = "The bucket policy does not exist"


class NoSuchCORSConfiguration(S3Error):
    status_code = 404
    text = "The CORS configuration does not exist"


class NoSuchKey(S3Error):
    status_code = 404
    text = "The specified key does not exist."


class NoSuchLifecycleConfiguration(S3Error):
    status_code = 404
    text = "The lifecycle configuration does not exist"


class NoSuchPublicAccessBlockConfiguration(S3Error):
    status_code = 404
    text = "The public access block configuration was not found"


class NoSuchTagSet(S3Error):
    status_code = 404
    text = "The TagSet does not exist"


class NoSuchUpload(S3Error):
    status_code = 404
    text = (
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
        "completed."
    )


class NoSuchVersion(S3Error):
    status_code = 404
    text = "The specified version does not exist."


class NoSuchWebsiteConfiguration(S3Error):
    status_code = 404
    text = "The specified bucket does not have a website configuration"


class NotModified(S3Error):
    status_code = 304
    text = "Not Modified"


class ObjectLockConfigurationNotFoundError(S3Error):
    status_code = 404
    text = "Object Lock configuration does not exist for this bucket"


class ObjectNotInActiveTierError(S3Error):
    status_code = 403
    text = "The source object of the COPY action is not in the active tier."


class OperationAborted(S3Error):
    status_code = 409
    text = "A conflicting conditional operation is currently in progress against this resource. Please try again."


class OwnershipControlsNotFoundError(S3Error):
    status_code = 404
    text = "The bucket ownership controls were not found"


class PermanentRedirect(S3Error):
    status_code = 301
    text = (
        "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all "
        "future requests to this endpoint."
    )


class PreconditionFailed(S3Error):
    status_code = 412
    text = "At least one of the pre-conditions you specified did not hold"


class ReplicationConfigurationNotFoundError(S3Error):
    status_code = 404
    text = "The replication configuration was not found"


class ServerSideEncryptionConfigurationNotFoundError(S3Error):
    status_code = 404
    text = "The server side encryption configuration was not found"


class TooManyBuckets(S3Error):
    text = "You have attempted to create more buckets than allowed"
