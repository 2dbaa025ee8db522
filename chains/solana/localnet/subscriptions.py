"""What one subscription is told, and when. Pure but for reading the chain.

Shapes: https://solana.com/docs/rpc/websocket
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from solders.account import Account
from solders.pubkey import Pubkey

from chains.solana.localnet import parameters as p
from chains.solana.localnet.chain import Chain, Landed
from chains.solana.localnet.history_methods import reached
from chains.solana.localnet.parameters import Parameters
from chains.solana.localnet.read_methods import VERSION, encoded
from chains.solana.localnet.scan_methods import filters

# From a transaction that has reached the subscription's commitment: what is told of it.
Pick = Callable[[Landed], Iterable[Any]]
# From a slot that has begun.
Beat = Callable[[int], Any]


@dataclass(frozen=True, slots=True)
class Subscription:
    """`name` is that of its notifications. One of `pick` and `beat` is there; `once` ends it with
    its first notification, and `received` is told at once of a transaction that came in."""

    name: str
    commitment: str
    pick: Pick | None = None
    beat: Beat | None = None
    once: bool = False
    signature: str = ""
    received: bool = False


def valued(slot: int, value: Any) -> dict[str, Any]:
    """A value with its context."""
    return {"context": {"apiVersion": VERSION["solana-core"], "slot": slot}, "value": value}


def slots(chain: Chain, params: Parameters) -> Subscription:
    def beat(slot: int) -> Any:
        root = chain.slots.block("finalized").slot
        return {"parent": slot - 1, "root": min(root, slot - 1), "slot": slot}

    return Subscription("slot", "processed", beat=beat)


def roots(chain: Chain, params: Parameters) -> Subscription:
    return Subscription("root", "finalized", beat=lambda slot: slot)


def signature(chain: Chain, params: Parameters) -> Subscription:
    wanted, options = str(p.signature(params.text(0))), params.options(1)

    def pick(landed: Landed) -> Iterable[Any]:
        if landed.signature == wanted:
            yield {"err": landed.error}

    received = options.get("enableReceivedNotification") is True
    return Subscription("signature", p.commitment(options), pick, None, True, wanted, received)


def account(chain: Chain, params: Parameters) -> Subscription:
    key, options = params.key(0), params.options(1)
    _shown(chain, Account(1, b"", key), options)  # refuses an encoding that there is not

    def pick(landed: Landed) -> Iterable[Any]:
        if key in landed.changed:
            yield _shown(chain, landed.changed[key], options)

    return Subscription("account", p.commitment(options), pick)


def program(chain: Chain, params: Parameters) -> Subscription:
    owner, options = params.key(0), params.options(1)
    wanted = filters(options.get("filters"))

    def pick(landed: Landed) -> Iterable[Any]:
        for key, now in landed.changed.items():
            if now is not None and now.owner == owner and wanted(now):
                yield {"pubkey": str(key), "account": _shown(chain, now, options)}

    return Subscription("program", p.commitment(options), pick)


def logs(chain: Chain, params: Parameters) -> Subscription:
    chosen, options = params.at(0), params.options(1)
    mentioned: Pubkey | None = None
    if isinstance(chosen, dict) and isinstance(chosen.get("mentions"), list):
        if len(chosen["mentions"]) != 1:
            raise p.invalid("Only 1 address supported")
        mentioned = p.key(chosen["mentions"][0])
    elif chosen not in ("all", "allWithVotes"):
        raise p.invalid("expected all, allWithVotes or mentions")

    def pick(landed: Landed) -> Iterable[Any]:
        if mentioned is None or mentioned in landed.keys:
            yield {"signature": landed.signature, "err": landed.error, "logs": landed.logs}

    return Subscription("logs", p.commitment(options), pick)


def told_already(chain: Chain, made: Subscription) -> Any:
    """What a subscription to a signature is told at once, as the transaction is there already;
    None for any other."""
    found = chain.store.transaction(made.signature) if made.signature else None
    if found is None or not reached(chain, found.slot, made.commitment):
        return None
    return valued(found.slot, {"err": json.loads(found.error)})


def _shown(chain: Chain, account: Account | None, options: Mapping[str, Any]) -> Any:
    gone = Account(0, b"", Pubkey.default())
    return encoded(chain, account or gone, options)


KINDS: dict[str, Callable[[Chain, Parameters], Subscription]] = {
    "accountSubscribe": account,
    "logsSubscribe": logs,
    "programSubscribe": program,
    "rootSubscribe": roots,
    "signatureSubscribe": signature,
    "slotSubscribe": slots,
}
