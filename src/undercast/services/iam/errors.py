"""IAM's errors with their texts.

AWS: IAM API Reference, "Common errors" and the errors of each operation.
"""

from undercast.core.errors import ServiceError
from undercast.services.iam.kinds import Kind


def no_such(kind: str, name: str) -> ServiceError:
    """`kind` as in "role", "user policy"."""
    return ServiceError("NoSuchEntity", f"The {kind} with name {name} cannot be found.", 404)


def no_such_policy(arn: str) -> ServiceError:
    """A managed policy that does not exist."""
    return ServiceError("NoSuchEntity", f"Policy {arn} was not found.{_hint(arn)}", 404)


def not_attachable(arn: str) -> ServiceError:
    """A managed policy that cannot be attached because it does not exist."""
    return ServiceError("NoSuchEntity", f"Policy {arn} does not exist or is not attachable.{_hint(arn)}", 404)


def no_such_boundary(arn: str) -> ServiceError:
    """A permissions boundary that does not exist."""
    return ServiceError("NoSuchEntity", f"Scope ARN: {arn} does not exist or is not attachable.{_hint(arn)}", 404)


def no_such_version(arn: str, version: str) -> ServiceError:
    """A version that the managed policy does not have."""
    return ServiceError("NoSuchEntity", f"Policy {arn} version {version} does not exist or is not attachable.", 404)


def no_such_profile(name: str) -> ServiceError:
    """An instance profile that does not exist."""
    return ServiceError("NoSuchEntity", f"Instance Profile {name} cannot be found.", 404)


def no_such_key(access_key_id: str) -> ServiceError:
    """An access key that the user does not have."""
    return ServiceError("NoSuchEntity", f"The Access Key with id {access_key_id} cannot be found.", 404)


def already_exists(text: str) -> ServiceError:
    """The name is taken; names are compared without case."""
    return ServiceError("EntityAlreadyExists", text, 409)


def entity_exists(kind: Kind, name: str) -> ServiceError:
    """A role, user or group of that name exists."""
    return already_exists(f"{kind.label} with name {name} already exists.")


def delete_conflict(text: str) -> ServiceError:
    """Something still hangs on the entity."""
    return ServiceError("DeleteConflict", text, 409)


def over_quota(quota: str, limit: int) -> ServiceError:
    """One of the quotas of "IAM and AWS STS quotas"."""
    return limit_exceeded(f"Cannot exceed quota for {quota}: {limit}")


def limit_exceeded(text: str) -> ServiceError:
    """A limit with a text of its own."""
    return ServiceError("LimitExceeded", text, 409)


def invalid_input(text: str) -> ServiceError:
    """A value that the model allows and IAM does not."""
    return ServiceError("InvalidInput", text, 400)


def validation_error(text: str) -> ServiceError:
    """A value that breaks a constraint."""
    return ServiceError("ValidationError", text, 400)


def protected(role: str) -> ServiceError:
    """A service-linked role."""
    text = f"Cannot perform the operation on the protected role '{role}' - this role is only modifiable by AWS"
    return ServiceError("UnmodifiableEntity", text, 400)


def _hint(arn: str) -> str:
    """AWS may well have the policy; then it is Undercast that lacks it, and says so."""
    if not arn.startswith("arn:aws:iam::aws:policy/"):
        return ""
    return " Undercast has only some of AWS's managed policies: `aws iam list-policies --scope AWS` lists them."
