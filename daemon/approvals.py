"""What contracts may take of a wallet's tokens, as far as it can be known where to look."""

from cambist.v1 import wallets_pb2 as pb
from core.errors import CambistError, Reason, Refused
from core.ports import Allowing, Network, Spending
from core.tokens import Token
from daemon.codec.chains import token_amount
from daemon.journal import Journal
from daemon.registry import Registry
from daemon.tokens import Tokens

_APPROVE = "approve"  # the purpose of such transactions


class Approvals:
    """Looks at the contracts of venues that are known here, and at whatever was approved from here.
    A chain has no list of allowances: what was allowed to others elsewhere stays unseen."""

    def __init__(self, registry: Registry, tokens: Tokens, journal: Journal) -> None:
        self._registry = registry
        self._tokens = tokens
        self._journal = journal

    async def of(self, network: Network, owner: str) -> list[pb.Allowance]:
        """Above zero, in any order; UNSUPPORTED_BY_VENUE where a chain has no allowances."""
        if not isinstance(network, Allowing):
            raise Refused(
                Reason.UNSUPPORTED_BY_VENUE,
                f"{network.info.id} has no allowances: its programs take what the signer of a"
                " transaction hands them",
                {"venue": network.info.id, "capability": "approvals"},
            )
        venues = self._spenders(network.info.id)
        tokens = {token.address: token for token in self._tokens.list(network.info.id)}
        sent = await self._journal.transactions.by_address(network.info.id, owner, 0)
        approved = [one.details for one in sent if one.purpose == _APPROVE]
        spenders = dict.fromkeys([*venues, *(one["spender"] for one in approved)])
        for address in {one["token"] for one in approved} - set(tokens):
            found = await self._token(network, address)
            if found is not None:
                tokens[address] = found
        allowances = await network.allowances(owner, list(tokens.values()), list(spenders))
        return [
            pb.Allowance(
                venue=venue,
                spender=one.spender,
                amount=token_amount(one.token, one.units),
            )
            for one in allowances
            for venue in venues.get(one.spender, [""])
        ]

    def _spenders(self, network: str) -> dict[str, list[str]]:
        """The venues of each contract that takes tokens on a network."""
        venues: dict[str, list[str]] = {}
        for id_, venue in self._registry.venues.items():
            if venue.info.network == network and isinstance(venue, Spending):
                for spender in venue.spenders:
                    venues.setdefault(spender, []).append(id_)
        return venues

    @staticmethod
    async def _token(network: Network, address: str) -> Token | None:
        """None for what has stopped to be a token."""
        try:
            return await network.token(address)
        except CambistError as error:
            if error.reason is Reason.TOKEN_NOT_FOUND:
                return None
            raise
