"""The credentials of execution environments: a session of the function's role, traced to its environment.

AWS: Lambda Developer Guide, "Defining Lambda function permissions with an execution role".
"""

from undercast.core.arn import Scope
from undercast.core.context import Cause
from undercast.core.identity import service_principal
from undercast.sandbox.model import EnvironmentCredentials, FunctionVersion
from undercast.services.lambda_.instance import PRINCIPAL
from undercast.services.parts import Internal

DURATION_S = 43_200
"""Twelve hours, the longest session that AWS issues; an idle environment lives far shorter."""


class RoleCredentials:
    """See `sandbox.model.CredentialSource`. `internal` makes the context of the call to STS."""

    def __init__(self, internal: Internal) -> None:
        self._internal = internal

    async def issue(self, function: FunctionVersion, environment_id: str) -> EnvironmentCredentials:
        """Assume the function's role as the Lambda service, for this environment."""
        principal = service_principal(PRINCIPAL, function.account_id)
        cause = Cause(kind="init", id=environment_id, environment_id=environment_id)
        ctx = self._internal(Scope(function.account_id, function.region), principal, cause)
        params = {"RoleArn": function.role_arn, "RoleSessionName": function.name, "DurationSeconds": DURATION_S}
        issued = (await ctx.call("sts", "AssumeRole", params))["Credentials"]
        return EnvironmentCredentials(
            access_key_id=issued["AccessKeyId"],
            secret_access_key=issued["SecretAccessKey"],
            session_token=issued["SessionToken"],
            expires_at=issued["Expiration"].timestamp(),
        )
