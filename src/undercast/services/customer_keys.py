"""What is kept under a key of KMS: whether its writer or reader may use that key now, asked in the caller's name.

For services whose rows lie unencrypted in the data folder. What an application meets is here: who may not use the key,
or whose key is disabled or gone, can neither write nor read. The context is the one that the service gives KMS on AWS,
so that conditions of key policies and constraints of grants hold.
AWS: KMS Developer Guide, "Using encryption with AWS services"; API Reference, DryRun and DryRunModifiers.
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.arn import Scope
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.record import record

_FITS = "DryRunOperationException"


@record
class CustomerKey:
    """A key, and how a service uses it."""

    id: str
    """Its id, ARN or alias."""
    scope: Scope
    """Of what is kept: an alias is one of there."""
    context: Mapping[str, str]
    codes: Mapping[str, str]
    """The service's error codes, by KMS's."""

    def _is_managed_for(self, ctx: RequestContext) -> bool:
        """Whether it is the service's own key that AWS manages, and the caller one whom that key's policy lets in.

        KMS needs not be asked: such a key can neither be disabled nor deleted, and its policy allows everybody in the
        account to use it through its service, and no service. See `kms.models.managed_policy`.
        """
        caller = ctx.principal
        return (
            self.id == f"alias/aws/{ctx.service}"
            and caller.kind not in ("service", "anonymous")
            and caller.account_id == self.scope.account_id
        )

    async def check_write(self, ctx: RequestContext) -> None:
        """kms:GenerateDataKey. Raises KMS's errors, as the service tells them."""
        await self._check(ctx, "GenerateDataKey", {"KeySpec": "AES_256"})

    async def check_read(self, ctx: RequestContext) -> None:
        """kms:Decrypt. Raises KMS's errors, as the service tells them."""
        await self._check(ctx, "Decrypt", {"DryRunModifiers": ["IGNORE_CIPHERTEXT"]})

    async def _check(self, ctx: RequestContext, operation: str, more: Mapping[str, Any]) -> None:
        if self._is_managed_for(ctx):
            return
        wanted = {"KeyId": self.id, "EncryptionContext": dict(self.context), "DryRun": True, **more}
        try:
            await ctx.call("kms", operation, wanted, scope=self.scope)
        except ServiceError as error:
            if error.code != _FITS:
                raise told(error, self.codes) from None


def told(error: ServiceError, codes: Mapping[str, str]) -> ServiceError:
    """KMS's error as a service tells it."""
    return ServiceError(codes[error.code], error.message) if error.code in codes else error
