"""The errors of authentication and authorisation, in each service family's words.

Data: S3, the query services and the JSON services name the same failure differently.
AWS: "Common errors" of each API reference; S3 API, "Error responses".
"""

from typing import Literal

from undercast.core.errors import ServiceError

Family = Literal["s3", "query", "json", "rest-json"]

_FAMILIES: dict[str, Family] = {
    "": "query",  # a query request by POST, whose body has not been read yet
    "s3": "s3",
    "autoscaling": "query",
    "cloudformation": "query",
    "cloudwatch": "query",
    "ec2": "query",
    "elb": "query",
    "elbv2": "query",
    "iam": "query",
    "rds": "query",
    "ses": "query",
    "sns": "query",
    "sqs": "query",
    "sts": "query",
    "apigateway": "rest-json",
    "apigatewayv2": "rest-json",
    "lambda": "rest-json",
    "xray": "rest-json",
}
_DENIALS = {"sns": "AuthorizationError", "ec2": "UnauthorizedOperation"}


def _family(service: str) -> Family:
    return _FAMILIES.get(service, "json")


def denied(service: str, text: str) -> ServiceError:
    """A request that the policies do not allow."""
    family = _family(service)
    if family in ("s3", "query"):
        return ServiceError(_DENIALS.get(service, "AccessDenied"), text, 403)
    return ServiceError("AccessDeniedException", text, 403 if family == "rest-json" else 400)


def missing_token(service: str) -> ServiceError:
    """An unsigned request."""
    if _family(service) == "query":
        return ServiceError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
    return ServiceError("MissingAuthenticationTokenException", "Missing Authentication Token", 403)


def unknown_key(service: str, access_key_id: str) -> ServiceError:
    """A key that does not exist, is inactive or was deleted."""
    if service == "s3":
        text = "The AWS Access Key Id you provided does not exist in our records."
        return ServiceError("InvalidAccessKeyId", text, 403, members={"AWSAccessKeyId": access_key_id})
    return _invalid(service)


def made_up_query(service: str) -> ServiceError:
    """A signature in the query string, by a key that was not issued here, where no tool puts one."""
    return _forbidden(
        service,
        "A signature in the query string is accepted here for S3 and for sts:GetCallerIdentity only, unless "
        "its access key was issued here.",
    )


def web_page(service: str) -> ServiceError:
    """What a browser sent for a web page of another site, signed with a key that was not issued here."""
    return _forbidden(
        service,
        "Web pages of other sites may send this request only with an access key that was issued here, or to "
        "S3 by a CORS rule of the bucket.",
    )


def _forbidden(service: str, text: str) -> ServiceError:
    named = "AccessDenied" if _family(service) in ("s3", "query") else "AccessDeniedException"
    return ServiceError(named, text, 403)


def wrong_token(service: str) -> ServiceError:
    """A session key without its session token, or with another's."""
    if service == "s3":
        text = "The provided token is malformed or otherwise invalid."
        return ServiceError("InvalidToken", text, 400)
    return _invalid(service)


def expired_token(service: str) -> ServiceError:
    """A session that is over."""
    if service == "s3":
        return ServiceError("ExpiredToken", "The provided token has expired.", 400)
    text = "The security token included in the request is expired"
    if _family(service) == "query":
        return ServiceError("ExpiredToken", text, 403)
    return ServiceError("ExpiredTokenException", text, 403 if _family(service) == "rest-json" else 400)


def _invalid(service: str) -> ServiceError:
    text = "The security token included in the request is invalid."
    if _family(service) == "query":
        return ServiceError("InvalidClientTokenId", text, 403)
    return ServiceError("UnrecognizedClientException", text, 403 if _family(service) == "rest-json" else 400)
