"""Every input member of every operation served: effective, stored or refused (I9).

Data. `make test` compares it with botocore's model (decision 3); a member in no table fails the build.
AWS: botocore's model of s3.
"""

from collections.abc import Mapping

_SSE_C = "SSE-C is not supported"
_LOCK = "Object Lock is not supported"
_DIGEST = "only CRC32, CRC32C, CRC64NVME, SHA1 and SHA256 are supported"
_DIRECTORY = "it belongs to directory buckets"

_REFUSED_BECAUSE: Mapping[str, str] = {
    "CopySourceSSECustomerAlgorithm": _SSE_C,
    "CopySourceSSECustomerKey": _SSE_C,
    "CopySourceSSECustomerKeyMD5": _SSE_C,
    "SSECustomerAlgorithm": _SSE_C,
    "SSECustomerKey": _SSE_C,
    "SSECustomerKeyMD5": _SSE_C,
    "ObjectLockEventHold": _LOCK,
    "ObjectLockEventHoldDurationDays": _LOCK,
    "ObjectLockEventHoldDurationYears": _LOCK,
    "ObjectLockLegalHoldStatus": _LOCK,
    "ObjectLockMode": _LOCK,
    "ObjectLockRetainUntilDate": _LOCK,
    "ChecksumMD5": _DIGEST,
    "ChecksumSHA512": _DIGEST,
    "ChecksumXXHASH128": _DIGEST,
    "ChecksumXXHASH3": _DIGEST,
    "ChecksumXXHASH64": _DIGEST,
    "IfMatchInitiatedTime": _DIRECTORY,
    "IfMatchLastModifiedTime": _DIRECTORY,
    "IfMatchSize": _DIRECTORY,
    "WriteOffsetBytes": _DIRECTORY,
    "BucketNamespace": "there is one namespace of buckets",
    "MFA": "there are no MFA devices",
}

_STORED_BECAUSE: Mapping[str, str] = {
    "AccelerateConfiguration": "there is no edge network here",
    "AnnotationDirective": "no object has annotations",
    "BypassGovernanceRetention": "no object is under retention",
    "ConfirmRemoveSelfBucketAccess": "the owner's root user always keeps access",
    "OptionalObjectAttributes": "no object is ever being restored",
}

_EFFECTIVE: Mapping[str, str] = {
    "AbortMultipartUpload": "Bucket ExpectedBucketOwner Key UploadId",
    "CompleteMultipartUpload": (
        "Bucket ChecksumCRC32 ChecksumCRC32C ChecksumCRC64NVME ChecksumSHA1 ChecksumSHA256 ChecksumType "
        "ExpectedBucketOwner IfMatch IfNoneMatch Key MpuObjectSize MultipartUpload UploadId"
    ),
    "CopyObject": (
        "ACL Bucket BucketKeyEnabled CacheControl ChecksumAlgorithm ContentDisposition ContentEncoding "
        "ContentLanguage ContentType CopySource CopySourceIfMatch CopySourceIfModifiedSince CopySourceIfNoneMatch "
        "CopySourceIfUnmodifiedSince ExpectedBucketOwner ExpectedSourceBucketOwner Expires GrantFullControl "
        "GrantRead GrantReadACP GrantWriteACP IfMatch IfNoneMatch Key Metadata MetadataDirective "
        "SSEKMSEncryptionContext SSEKMSKeyId ServerSideEncryption StorageClass Tagging TaggingDirective "
        "WebsiteRedirectLocation"
    ),
    "CreateBucket": (
        "ACL Bucket CreateBucketConfiguration GrantFullControl GrantRead GrantReadACP GrantWrite "
        "GrantWriteACP ObjectLockEnabledForBucket ObjectOwnership"
    ),
    "CreateMultipartUpload": (
        "ACL Bucket BucketKeyEnabled CacheControl ChecksumAlgorithm ChecksumType ContentDisposition ContentEncoding "
        "ContentLanguage ContentType ExpectedBucketOwner Expires GrantFullControl GrantRead GrantReadACP "
        "GrantWriteACP Key Metadata SSEKMSEncryptionContext SSEKMSKeyId ServerSideEncryption StorageClass "
        "Tagging WebsiteRedirectLocation"
    ),
    "DeleteBucket": "Bucket ExpectedBucketOwner",
    "DeleteBucketCors": "Bucket ExpectedBucketOwner",
    "DeleteBucketEncryption": "Bucket ExpectedBucketOwner",
    "DeleteBucketLifecycle": "Bucket ExpectedBucketOwner",
    "DeleteBucketOwnershipControls": "Bucket ExpectedBucketOwner",
    "DeleteBucketPolicy": "Bucket ExpectedBucketOwner",
    "DeleteBucketReplication": "Bucket ExpectedBucketOwner",
    "DeleteBucketTagging": "Bucket ExpectedBucketOwner",
    "DeleteBucketWebsite": "Bucket ExpectedBucketOwner",
    "DeleteObject": "Bucket ExpectedBucketOwner IfMatch Key VersionId",
    "DeleteObjectTagging": "Bucket ExpectedBucketOwner Key VersionId",
    "DeleteObjects": "Bucket ChecksumAlgorithm Delete ExpectedBucketOwner",
    "DeletePublicAccessBlock": "Bucket ExpectedBucketOwner",
    "GetBucketAccelerateConfiguration": "Bucket ExpectedBucketOwner",
    "GetBucketAcl": "Bucket ExpectedBucketOwner",
    "GetBucketCors": "Bucket ExpectedBucketOwner",
    "GetBucketEncryption": "Bucket ExpectedBucketOwner",
    "GetBucketLifecycleConfiguration": "Bucket ExpectedBucketOwner",
    "GetBucketLocation": "Bucket ExpectedBucketOwner",
    "GetBucketLogging": "Bucket ExpectedBucketOwner",
    "GetBucketNotificationConfiguration": "Bucket ExpectedBucketOwner",
    "GetBucketOwnershipControls": "Bucket ExpectedBucketOwner",
    "GetBucketPolicy": "Bucket ExpectedBucketOwner",
    "GetBucketPolicyStatus": "Bucket ExpectedBucketOwner",
    "GetBucketReplication": "Bucket ExpectedBucketOwner",
    "GetBucketRequestPayment": "Bucket ExpectedBucketOwner",
    "GetBucketTagging": "Bucket ExpectedBucketOwner",
    "GetBucketVersioning": "Bucket ExpectedBucketOwner",
    "GetBucketWebsite": "Bucket ExpectedBucketOwner",
    "GetObject": (
        "Bucket ChecksumMode ExpectedBucketOwner IfMatch IfModifiedSince IfNoneMatch IfUnmodifiedSince Key "
        "PartNumber Range ResponseCacheControl ResponseContentDisposition ResponseContentEncoding "
        "ResponseContentLanguage ResponseContentType ResponseExpires VersionId"
    ),
    "GetObjectAcl": "Bucket ExpectedBucketOwner Key VersionId",
    "GetObjectAttributes": "Bucket ExpectedBucketOwner Key MaxParts ObjectAttributes PartNumberMarker VersionId",
    "GetObjectLockConfiguration": "Bucket ExpectedBucketOwner",
    "GetObjectTagging": "Bucket ExpectedBucketOwner Key VersionId",
    "GetPublicAccessBlock": "Bucket ExpectedBucketOwner",
    "HeadBucket": "Bucket ExpectedBucketOwner",
    "HeadObject": (
        "Bucket ChecksumMode ExpectedBucketOwner IfMatch IfModifiedSince IfNoneMatch IfUnmodifiedSince Key "
        "PartNumber Range ResponseCacheControl ResponseContentDisposition ResponseContentEncoding "
        "ResponseContentLanguage ResponseContentType ResponseExpires VersionId"
    ),
    "ListBuckets": "BucketRegion ContinuationToken MaxBuckets Prefix",
    "ListMultipartUploads": (
        "Bucket Delimiter EncodingType ExpectedBucketOwner KeyMarker MaxUploads Prefix UploadIdMarker"
    ),
    "ListObjectVersions": (
        "Bucket Delimiter EncodingType ExpectedBucketOwner KeyMarker MaxKeys Prefix VersionIdMarker"
    ),
    "ListObjects": "Bucket Delimiter EncodingType ExpectedBucketOwner Marker MaxKeys Prefix",
    "ListObjectsV2": (
        "Bucket ContinuationToken Delimiter EncodingType ExpectedBucketOwner FetchOwner MaxKeys Prefix StartAfter"
    ),
    "ListParts": "Bucket ExpectedBucketOwner Key MaxParts PartNumberMarker UploadId",
    "PutBucketAccelerateConfiguration": "Bucket ChecksumAlgorithm ExpectedBucketOwner",
    "PutBucketAcl": (
        "ACL AccessControlPolicy Bucket ChecksumAlgorithm ContentMD5 ExpectedBucketOwner GrantFullControl "
        "GrantRead GrantReadACP GrantWrite GrantWriteACP"
    ),
    "PutBucketCors": "Bucket CORSConfiguration ChecksumAlgorithm ContentMD5 ExpectedBucketOwner",
    "PutBucketEncryption": (
        "Bucket ChecksumAlgorithm ContentMD5 ExpectedBucketOwner ServerSideEncryptionConfiguration"
    ),
    "PutBucketLifecycleConfiguration": (
        "Bucket ChecksumAlgorithm ExpectedBucketOwner LifecycleConfiguration TransitionDefaultMinimumObjectSize"
    ),
    "PutBucketLogging": "Bucket BucketLoggingStatus ChecksumAlgorithm ContentMD5 ExpectedBucketOwner",
    "PutBucketNotificationConfiguration": (
        "Bucket ExpectedBucketOwner NotificationConfiguration SkipDestinationValidation"
    ),
    "PutBucketOwnershipControls": "Bucket ChecksumAlgorithm ContentMD5 ExpectedBucketOwner OwnershipControls",
    "PutBucketPolicy": "Bucket ChecksumAlgorithm ContentMD5 ExpectedBucketOwner Policy",
    "PutBucketRequestPayment": "Bucket ChecksumAlgorithm ContentMD5 ExpectedBucketOwner RequestPaymentConfiguration",
    "PutBucketTagging": "Bucket ChecksumAlgorithm ContentMD5 ExpectedBucketOwner Tagging",
    "PutBucketVersioning": "Bucket ChecksumAlgorithm ContentMD5 ExpectedBucketOwner VersioningConfiguration",
    "PutBucketWebsite": "Bucket ChecksumAlgorithm ContentMD5 ExpectedBucketOwner WebsiteConfiguration",
    "PutObject": (
        "ACL Body Bucket BucketKeyEnabled CacheControl ChecksumAlgorithm ChecksumCRC32 ChecksumCRC32C "
        "ChecksumCRC64NVME ChecksumSHA1 ChecksumSHA256 ContentDisposition ContentEncoding ContentLanguage "
        "ContentLength ContentMD5 ContentType ExpectedBucketOwner Expires GrantFullControl GrantRead GrantReadACP "
        "GrantWriteACP IfMatch IfNoneMatch Key Metadata SSEKMSEncryptionContext SSEKMSKeyId "
        "ServerSideEncryption StorageClass Tagging WebsiteRedirectLocation"
    ),
    "PutObjectAcl": (
        "ACL AccessControlPolicy Bucket ChecksumAlgorithm ContentMD5 ExpectedBucketOwner GrantFullControl "
        "GrantRead GrantReadACP GrantWrite GrantWriteACP Key VersionId"
    ),
    "PutObjectTagging": "Bucket ChecksumAlgorithm ContentMD5 ExpectedBucketOwner Key Tagging VersionId",
    "PutPublicAccessBlock": ("Bucket ChecksumAlgorithm ContentMD5 ExpectedBucketOwner PublicAccessBlockConfiguration"),
    "UploadPart": (
        "Body Bucket ChecksumAlgorithm ChecksumCRC32 ChecksumCRC32C ChecksumCRC64NVME ChecksumSHA1 "
        "ChecksumSHA256 ContentLength ContentMD5 ExpectedBucketOwner Key PartNumber UploadId"
    ),
    "UploadPartCopy": (
        "Bucket CopySource CopySourceIfMatch CopySourceIfModifiedSince CopySourceIfNoneMatch "
        "CopySourceIfUnmodifiedSince CopySourceRange ExpectedBucketOwner ExpectedSourceBucketOwner Key "
        "PartNumber UploadId"
    ),
}

_WITH_REQUEST_PAYER = (
    "AbortMultipartUpload CompleteMultipartUpload CopyObject CreateMultipartUpload DeleteObject "
    "DeleteObjects GetBucketAccelerateConfiguration GetObject GetObjectAcl GetObjectAttributes "
    "GetObjectTagging HeadObject ListMultipartUploads ListObjectVersions ListObjects ListObjectsV2 "
    "ListParts PutObject PutObjectAcl PutObjectTagging UploadPart UploadPartCopy"
)

_STORED: Mapping[str, str] = {
    "CopyObject": "AnnotationDirective",
    "DeleteObject": "BypassGovernanceRetention",
    "DeleteObjects": "BypassGovernanceRetention",
    "ListObjectVersions": "OptionalObjectAttributes",
    "ListObjects": "OptionalObjectAttributes",
    "ListObjectsV2": "OptionalObjectAttributes",
    "PutBucketAccelerateConfiguration": "AccelerateConfiguration",
    "PutBucketPolicy": "ConfirmRemoveSelfBucketAccess",
}

_REFUSED: Mapping[str, str] = {
    "AbortMultipartUpload": "IfMatchInitiatedTime",
    "CompleteMultipartUpload": (
        "ChecksumMD5 ChecksumSHA512 ChecksumXXHASH128 ChecksumXXHASH3 ChecksumXXHASH64 SSECustomerAlgorithm "
        "SSECustomerKey SSECustomerKeyMD5"
    ),
    "CopyObject": (
        "CopySourceSSECustomerAlgorithm CopySourceSSECustomerKey CopySourceSSECustomerKeyMD5 "
        "ObjectLockEventHold ObjectLockEventHoldDurationDays ObjectLockEventHoldDurationYears "
        "ObjectLockLegalHoldStatus ObjectLockMode ObjectLockRetainUntilDate SSECustomerAlgorithm "
        "SSECustomerKey SSECustomerKeyMD5"
    ),
    "CreateBucket": "BucketNamespace",
    "CreateMultipartUpload": (
        "ObjectLockEventHold ObjectLockEventHoldDurationDays "
        "ObjectLockEventHoldDurationYears ObjectLockLegalHoldStatus ObjectLockMode ObjectLockRetainUntilDate "
        "SSECustomerAlgorithm SSECustomerKey SSECustomerKeyMD5"
    ),
    "DeleteObject": "IfMatchLastModifiedTime IfMatchSize MFA",
    "DeleteObjects": "MFA",
    "GetObject": "SSECustomerAlgorithm SSECustomerKey SSECustomerKeyMD5",
    "GetObjectAttributes": "SSECustomerAlgorithm SSECustomerKey SSECustomerKeyMD5",
    "HeadObject": "SSECustomerAlgorithm SSECustomerKey SSECustomerKeyMD5",
    "ListParts": "SSECustomerAlgorithm SSECustomerKey SSECustomerKeyMD5",
    "PutBucketVersioning": "MFA",
    "PutObject": (
        "ChecksumMD5 ChecksumSHA512 ChecksumXXHASH128 ChecksumXXHASH3 ChecksumXXHASH64 "
        "ObjectLockEventHold ObjectLockEventHoldDurationDays ObjectLockEventHoldDurationYears "
        "ObjectLockLegalHoldStatus ObjectLockMode ObjectLockRetainUntilDate SSECustomerAlgorithm "
        "SSECustomerKey SSECustomerKeyMD5 WriteOffsetBytes"
    ),
    "UploadPart": (
        "ChecksumMD5 ChecksumSHA512 ChecksumXXHASH128 ChecksumXXHASH3 ChecksumXXHASH64 SSECustomerAlgorithm "
        "SSECustomerKey SSECustomerKeyMD5"
    ),
    "UploadPartCopy": (
        "CopySourceSSECustomerAlgorithm CopySourceSSECustomerKey CopySourceSSECustomerKeyMD5 "
        "SSECustomerAlgorithm SSECustomerKey SSECustomerKeyMD5"
    ),
}


def effective() -> dict[str, frozenset[str]]:
    """Operation -> members whose effect is here."""
    found = {name: frozenset(members.split()) for name, members in _EFFECTIVE.items()}
    return found | {name: found[name] | {"RequestPayer"} for name in _WITH_REQUEST_PAYER.split()}


def stored() -> dict[str, dict[str, str]]:
    """Operation -> member that is kept and read back but inert here -> why."""
    return _with_reasons(_STORED, _STORED_BECAUSE)


def refused() -> dict[str, dict[str, str]]:
    """Operation -> member that is answered with an error -> why."""
    return _with_reasons(_REFUSED, _REFUSED_BECAUSE)


def _with_reasons(table: Mapping[str, str], reasons: Mapping[str, str]) -> dict[str, dict[str, str]]:
    return {name: {member: reasons[member] for member in members.split()} for name, members in table.items()}
