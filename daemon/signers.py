"""Signers elsewhere: asked for their keys at the start and from time to time, so that their wallets
appear, also when they come up after the daemon."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

import structlog

from chains.wallets.remote import RemoteAddress, RemoteSigner
from core.clock import Clock
from core.errors import Refused
from core.ports import Condition, Health
from daemon.config.model import SignerSettings
from daemon.lifecycle import Component

_AGAIN = 60.0  # float: seconds between looks at a signer that answers
_SOON = 3.0  # float: seconds until one that does not is asked again
_log = structlog.get_logger("signers")


def remote_signer(settings: SignerSettings) -> RemoteSigner:
    """As configured; ValueError for a name or an address that is none."""
    return RemoteSigner(
        RemoteAddress(
            name=settings.name,
            url=settings.url,
            wallets=settings.wallets,
            ca_file=settings.ca_file,
            certificate_file=settings.certificate_file,
            key_file=settings.key_file,
        )
    )


class Signers:
    """`changed` is called when wallets have come or gone."""

    def __init__(
        self,
        remotes: Sequence[RemoteSigner],
        clock: Clock,
        changed: Callable[[], Awaitable[None]],
    ) -> None:
        self._remotes = list(remotes)
        self._clock = clock
        self._changed = changed
        self._conditions = {
            one.name: Condition(Health.STARTING, "not asked yet", clock.now()) for one in remotes
        }

    def components(self) -> Iterable[Component]:
        """One a signer."""
        return [
            Component("signer", name, condition) for name, condition in self._conditions.items()
        ]

    async def run(self) -> None:
        """Asks for ever; ends by being canceled."""
        await asyncio.gather(*(self._watch(remote) for remote in self._remotes))

    async def stop(self) -> None:
        for remote in self._remotes:
            await remote.close()

    async def _watch(self, remote: RemoteSigner) -> None:
        while True:
            try:
                changed = await remote.refresh()
                self._note(remote, Condition(Health.READY, "", self._clock.now()))
                if changed:
                    await self._changed()
            except Refused as error:
                self._note(remote, Condition(Health.DOWN, error.message, self._clock.now()))
            up = self._conditions[remote.name].health is Health.READY
            await asyncio.sleep(_AGAIN if up else _SOON)

    def _note(self, remote: RemoteSigner, found: Condition) -> None:
        before = self._conditions[remote.name]
        if (before.health, before.reason) != (found.health, found.reason):
            self._conditions[remote.name] = found
            _log.info("signer", signer=remote.name, health=found.health.name, why=found.reason)
