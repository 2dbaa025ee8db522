"""From a plan to numbers in one round trip: simulation, gas, fees, nonce counts, balance."""

import asyncio
from dataclasses import dataclass
from typing import Any

from chains.evm.codec import hexadecimal, integer, quantity, unhex
from chains.evm.data_fee import at_most
from chains.evm.fees import TRANSFER_GAS, Fees, under_cap, with_margin
from chains.evm.model import Block, TransactionPlan
from chains.evm.nonces import Counts, NonceLedger, agreed
from chains.evm.prices import GasPrices
from chains.evm.reverts import failure
from chains.evm.rpc import RpcPool
from chains.nodes import Answer, NodeError, parsed
from core.errors import CambistError, Reason, Refused
from core.money import from_units, text
from core.ports import FeeOptions, NetworkInfo
from core.steps import stepped

_COUNT_TIMEOUT = 3.0  # float: seconds; a node that is slower has no say in the nonce


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that a signature needs but the nonce's choice."""

    fees: Fees
    gas_limit: int
    counts: Counts


def call_object(plan: TransactionPlan) -> dict[str, str]:
    """A plan as eth_call and eth_estimateGas take it."""
    wire = {"from": plan.sender, "to": plan.to, "data": hexadecimal(plan.data)}
    if plan.value:
        wire["value"] = quantity(plan.value)
    if plan.gas_limit is not None:
        wire["gas"] = quantity(plan.gas_limit)
    return wire


def refusal(error: NodeError, network: str) -> CambistError:
    """A node's refusal of a simulation as ours: nothing was sent."""
    failed = failure(error.text, error.data)
    if "insufficient funds" in error.text.lower():
        return Refused(
            Reason.INSUFFICIENT_BALANCE,
            f"the wallet cannot pay for the transaction: {error.text[:200]}",
            error.metadata,
        )
    if failed is None:
        return error
    reason, data = failed
    return Refused(
        Reason.SIMULATION_FAILED,
        f"the transaction would revert: {reason}",
        {
            **error.metadata,
            "network": network,
            "revert": reason[:500],
            "revert_data": hexadecimal(data)[:1000],
        },
    )


@stepped("transaction.simulate")
async def simulate(rpc: RpcPool, plan: TransactionPlan, block: str = "latest") -> bytes:
    """What the call would return; Refused with SIMULATION_FAILED and the decoded reason."""
    try:
        answer = await rpc.call("eth_call", [call_object(plan), block])
        return parsed(unhex, answer, "result")
    except NodeError as error:
        raise refusal(error, rpc.network) from error


@stepped("transaction.prepare")
async def prepare(
    rpc: RpcPool,
    info: NetworkInfo,
    plan: TransactionPlan,
    options: FeeOptions,
    head: Block,
    prices: GasPrices,
    ledger: NonceLedger,
) -> Prepared:
    """Simulates and prices a plan. Raises Refused, or CambistError when no node answers."""
    fees = await prices.offer(options, head, info.native)
    asked = ledger.asked()
    wire = call_object(plan)
    questions: list[tuple[str, list[Any]]] = [
        ("eth_call", [wire, "latest"]),
        ("eth_getBalance", [plan.sender, "latest"]),
        *_counts(plan.sender),
    ]
    if plan.gas_limit is None:
        questions.append(("eth_estimateGas", [wire]))
    besides = await prices.data_fees.questions(plan, head)
    answers, others = await asyncio.gather(
        rpc.batch([*questions, *besides]), _others(rpc, plan.sender)
    )
    call, balance, latest, pending, *estimate = answers[: len(questions)]
    for answer in (call, *estimate):
        if isinstance(answer, NodeError):
            failed = refusal(answer, info.id)
            if failed.reason is Reason.INSUFFICIENT_BALANCE:  # say by how much, where that is clear
                least = plan.value + fees.price * (plan.gas_limit or TRANSFER_GAS)
                afford(number(balance), least, info)
            raise failed from answer
    gas_limit = plan.gas_limit
    if gas_limit is None:
        gas_limit = with_margin(number(estimate[0])) + plan.gas_reserve
    native, data_fee = info.native, at_most(answers[len(questions) :])
    cap = prices.cap(options, native)
    fees = under_cap(fees, gas_limit, head.base_fee, cap, native, data_fee=data_fee)
    afford(number(balance), plan.value + fees.price * gas_limit + data_fee, info)
    return Prepared(fees, gas_limit, _agree(others or [[latest, pending]], asked))


def _counts(sender: str) -> list[tuple[str, list[Any]]]:
    return [("eth_getTransactionCount", [sender, block]) for block in ("latest", "pending")]


async def _others(rpc: RpcPool, sender: str) -> list[list[Answer]]:
    """The counts that every node tells, where there are several: one alone may lie or lag."""
    if len(rpc.nodes) < 2:
        return []
    try:
        return await rpc.ask_all(_counts(sender), _COUNT_TIMEOUT, only_well=True)
    except CambistError:
        return []  # all slower than that: the one that is waited for has the only say


def _agree(answers: list[list[Answer]], asked: int) -> Counts:
    """What most nodes say, one vote each; a node without a pool of its own may not know
    "pending"."""
    used = [number(row[0]) for row in answers if not isinstance(row[0], NodeError)]
    pending = [number(row[1]) for row in answers if not isinstance(row[1], NodeError)]
    latest = agreed(used) if used else number(answers[0][0])
    return Counts(latest, agreed(pending) if pending else latest, asked)


def afford(balance: int, needed: int, info: NetworkInfo) -> None:
    """Refused with INSUFFICIENT_BALANCE where a balance (wei) does not cover what is needed."""
    if balance >= needed:
        return
    has, needs = (text(from_units(wei, info.native.decimals)) for wei in (balance, needed))
    raise Refused(
        Reason.INSUFFICIENT_BALANCE,
        f"the wallet has {has} {info.native.symbol} and may need {needs}, the fee included",
        {"asset": info.native.symbol, "available": has, "needed": needs},
    )


def number(answer: Answer) -> int:
    """A quantity; NodeError for a node's own error, and for what is none."""
    return parsed(integer, answer, "number")
