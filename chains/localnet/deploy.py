"""Puts the contracts on a local chain, or finds them there, and funds wallets."""

import asyncio
from collections.abc import Sequence
from typing import Any

from chains.evm import multicall
from chains.evm.codec import hexadecimal, integer, quantity
from chains.evm.rpc import RpcPool
from chains.localnet import packages
from chains.localnet.deployment import Contracts, Manifest
from chains.localnet.packages import Installed
from chains.localnet.plan import ETHER, WALLET_ETHER, Plan, Step, build, funding
from chains.nodes import NodeError
from core.errors import CambistError, Reason

# keccak256("cambist sandbox deployer"): nobody has its key, anvil plays it. A development account
# would do, but somebody may well trade with that one.
DEPLOYER = "0xe0c83aE3277B9981E073B58E0D1600B816fbcF1B"
_DEPLOYER_ETHER = 10_000_000
_LOOKS = 500  # at receipts, 10 ms apart
_RESEND = 10  # looks
# Fixed, so that what is sent again is the same transaction, whatever the base fee is by then.
_MAX_FEE, _TIP = 100 * 10**9, 10**9


async def settle(
    rpc: RpcPool, installed: Installed, manifest: Manifest | None, wallets: Sequence[str]
) -> tuple[Manifest, bool]:
    """The chain with all contracts on it and the wallets funded; whether it was deployed now.

    A chain that holds a part only (a deployment was interrupted) starts again from its genesis.
    """
    contracts = manifest.contracts if manifest else None
    fresh = contracts is None or not await _holds(rpc, contracts)
    if contracts is None or fresh:
        plan = build(
            DEPLOYER,
            lambda name: packages.creation_code(installed, name),
            packages.sandbox_code,
        )
        contracts = plan.contracts
        fresh = not await _holds(rpc, contracts)
        if fresh:
            await _deploy(rpc, plan)
    known = () if fresh or manifest is None else manifest.funded
    wanted = [wallet for wallet in wallets if wallet not in known or await _is_empty(rpc, wallet)]
    for wallet in wanted:
        await fund(rpc, contracts, wallet)
    return Manifest(contracts, tuple(dict.fromkeys((*known, *wanted)))), fresh


async def fund(rpc: RpcPool, contracts: Contracts, wallet: str) -> None:
    """Gives a wallet its coins and tokens; takes nothing from one that has more."""
    balance = integer(await rpc.call("eth_getBalance", [wallet, "latest"]))
    enough = quantity(max(balance, WALLET_ETHER * ETHER))
    await rpc.call("anvil_setBalance", [wallet, enough])
    await _send(rpc, funding(contracts, wallet))


async def _deploy(rpc: RpcPool, plan: Plan) -> None:
    if integer(await rpc.call("eth_getTransactionCount", [DEPLOYER, "latest"])):
        await rpc.call("anvil_reset", [])
    code = hexadecimal(packages.sandbox_code("SandboxMulticall", "runtime"))
    await rpc.batch(
        [
            ("anvil_setBalance", [DEPLOYER, quantity(_DEPLOYER_ETHER * ETHER)]),
            ("anvil_setCode", [multicall.ADDRESS, code]),
        ]
    )
    await _send(rpc, plan.steps)
    if not await _holds(rpc, plan.contracts):
        raise CambistError(Reason.INTERNAL, "the local chain does not hold what was deployed on it")


async def _send(rpc: RpcPool, steps: Sequence[Step]) -> None:
    """All at once, in the order of their nonces, and waits until each has succeeded.

    anvil works on a batch in parallel, and now and then loses one of many that come at the same
    moment: what stays away is sent again, under the same nonce.
    """
    await rpc.call("anvil_impersonateAccount", [DEPLOYER])
    first = integer(await rpc.call("eth_getTransactionCount", [DEPLOYER, "pending"]))
    wires = [_wire(step, first + index) for index, step in enumerate(steps)]
    waiting = {}
    for wire, answer in zip(wires, await _submit(rpc, wires), strict=True):
        if isinstance(answer, NodeError):
            raise answer
        waiting[answer] = wire
    for look in range(1, _LOOKS + 1):
        receipts = await rpc.batch([("eth_getTransactionReceipt", [hash]) for hash in waiting])
        for hash, receipt in zip(list(waiting), receipts, strict=True):
            if isinstance(receipt, dict):
                if receipt["status"] != "0x1":
                    raise CambistError(Reason.INTERNAL, f"deployment transaction {hash} failed")
                del waiting[hash]
        if not waiting:
            return
        if look % _RESEND == 0:
            # Those that were not lost are refused as known: only what is missing counts.
            await _submit(rpc, list(waiting.values()))
        await rpc.call("evm_mine", [])
        await asyncio.sleep(0.01)
    raise CambistError(Reason.INTERNAL, f"{len(waiting)} deployment transactions were not mined")


async def _submit(rpc: RpcPool, wires: Sequence[dict[str, Any]]) -> Sequence[Any]:
    return await rpc.batch([("eth_sendTransaction", [wire]) for wire in wires])


def _wire(step: Step, nonce: int) -> dict[str, Any]:
    wire = {
        "from": DEPLOYER,
        "data": hexadecimal(step.data),
        "gas": quantity(step.gas),
        "maxFeePerGas": quantity(_MAX_FEE),
        "maxPriorityFeePerGas": quantity(_TIP),
        "value": quantity(step.value),
        "nonce": quantity(nonce),
    }
    return {**wire, "to": step.to} if step.to else wire


async def _holds(rpc: RpcPool, contracts: Contracts) -> bool:
    codes = await rpc.batch(
        [("eth_getCode", [address, "latest"]) for address in contracts.addresses()]
    )
    return all(isinstance(code, str) and len(code) > 2 for code in codes)


async def _is_empty(rpc: RpcPool, wallet: str) -> bool:
    """A wallet that never was on this chain, whatever the manifest says."""
    balance, nonce = await rpc.batch(
        [("eth_getBalance", [wallet, "latest"]), ("eth_getTransactionCount", [wallet, "latest"])]
    )
    return integer(balance) == 0 and integer(nonce) == 0
