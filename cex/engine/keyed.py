"""Accounts whose key tells what it may do."""

from cex.engine import commands
from cex.engine.account import ExchangeAccount
from core.errors import Reason, Refused
from core.ports import KeyPermissions


class KeyedAccount(ExchangeAccount):
    """An account at a venue that tells of its keys; implements core.ports.Keyed as well."""

    async def key_permissions(self) -> KeyPermissions:
        """See core.ports.Keyed. Raises VENUE_AUTHENTICATION_FAILED for credentials that are none,
        and what a read raises."""
        told = self._spec.key_permissions
        if told is None:
            return await self._read(commands.GetKeyPermissions())
        try:
            return told(self._credentials)
        except ValueError as error:  # the words are a library's, and might repeat the key
            raise Refused(
                Reason.VENUE_AUTHENTICATION_FAILED,
                f"this is no key for {self._spec.name} ({type(error).__name__}): check it",
                {"venue": self._spec.id},
            ) from None
