"""KMS's errors, in AWS's words.

AWS: KMS API Reference, the errors of each operation; the texts are the service's answers.
"""

from undercast.core.errors import ServiceError


def no_key(arn: str) -> ServiceError:
    """No such key."""
    return ServiceError("NotFoundException", f"Key '{arn}' does not exist")


def invalid_key_id(text: str) -> ServiceError:
    """What cannot name a key at all."""
    return ServiceError("NotFoundException", f"Invalid keyId {text}")


def other_region(region: str) -> ServiceError:
    """An ARN of another region than the one that is asked. The text: apache/hadoop pull request 4637."""
    return ServiceError("NotFoundException", f"Invalid arn {region}")


def no_such_principal(text: str) -> ServiceError:
    """What cannot be a principal."""
    return ServiceError("InvalidArnException", f"ARN does not refer to a valid principal: {text}")


def unknown_ciphertext(principal_arn: str, action: str) -> ServiceError:
    """The ciphertext's key is not here, or no longer: AWS does not say which."""
    because = (
        "the resource does not exist in this Region, no resource-based policies allow access, "
        "or a resource-based policy explicitly denies access"
    )
    text = (
        f"User: {principal_arn} is not authorized to perform: {action} on the resource associated with this ciphertext"
    )
    return ServiceError("AccessDeniedException", f"{text} because {because}")


def no_alias(arn: str) -> ServiceError:
    """No such alias."""
    return ServiceError("NotFoundException", f"Alias {arn} is not found.")


def disabled(arn: str) -> ServiceError:
    """The key is disabled."""
    return ServiceError("DisabledException", f"{arn} is disabled.")


def invalid_state(arn: str, state: str) -> ServiceError:
    """The key's state does not allow it."""
    return ServiceError("KMSInvalidStateException", f"{arn} is {state}.")


def invalid_usage(arn: str, usage: str) -> ServiceError:
    """The key is for something else."""
    text = f"{arn} key usage is {usage} which is not valid for this operation."
    return ServiceError("InvalidKeyUsageException", text)


def invalid_algorithm(algorithm: str, spec: str) -> ServiceError:
    """The key's spec has not this algorithm."""
    return ServiceError("InvalidKeyUsageException", f"Algorithm {algorithm} and key spec {spec} are incompatible.")


def bad_ciphertext() -> ServiceError:
    """Not encrypted by this key with this context, or damaged. AWS gives no text."""
    return ServiceError("InvalidCiphertextException", "")


def wrong_key() -> ServiceError:
    """The key that the request names is not the one that encrypted."""
    text = "The key ID in the request does not identify a CMK that can perform this operation."
    return ServiceError("IncorrectKeyException", text)


def invalid(message: str) -> ServiceError:
    """A parameter or a combination that cannot be."""
    return ServiceError("ValidationException", message)


def unsupported(message: str) -> ServiceError:
    """AWS KMS does this for other kinds of keys only."""
    return ServiceError("UnsupportedOperationException", message)
