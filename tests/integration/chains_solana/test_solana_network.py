"""The network against the real virtual machine over real HTTP; time is turned by hand."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from solders.keypair import Keypair

from chains.networks import NETWORKS
from chains.solana.localnet import server
from chains.solana.network import SolanaNetwork
from core.errors import CambistError, Reason, Refused, Unconfirmed
from core.ports import FeeOptions, Health
from core.tokens import Token
from core.transactions import Transaction, TransactionStatus
from tests.support.solana import INFO, T22, USDC, Lab, lab

pytestmark = pytest.mark.solana
SOL, WSOL = INFO.native, INFO.wrapped
assert WSOL is not None
FEES = FeeOptions()


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Lab]:
    async with lab(tmp_path) as made:
        yield made


def somebody() -> str:
    return str(Keypair().pubkey())


async def settle(here: Lab) -> None:
    """Lets enough blocks pass for finality, with a look after each few."""
    for _ in range(5):
        here.blocks(8)
        for network in here.networks:
            await network.poll()


async def test_a_transfer_lives_to_its_end(here: Lab) -> None:
    network, to = here.network(), somebody()
    seen: list[Transaction] = []
    unsubscribe = network.on_transaction(seen.append)
    sent = await network.transfer(here.address, to, SOL, 1_500_000_000, "intent", FEES)
    assert sent.status is TransactionStatus.BROADCAST
    assert sent.last_valid_height is not None
    await network.poll()
    here.blocks(2)
    await network.poll()
    included = await network.wait_included(sent.hash, 1)
    assert included.status is TransactionStatus.INCLUDED
    assert included.succeeded is True
    assert included.fee == Decimal("0.000005")
    await settle(here)
    final = await network.transaction(sent.hash)
    assert final.status is TransactionStatus.FINAL
    assert here.log.statuses(sent.hash) == ["SIGNED", "BROADCAST", "SEEN", "INCLUDED", "FINAL"]
    assert [t.status.name for t in seen] == here.log.statuses(sent.hash)
    assert here.lamports(to) == 1_500_000_000
    assert network.pending(here.address) == []
    unsubscribe()
    assert final.details["units"] == "1500000000"


@pytest.mark.parametrize("token", [USDC, T22], ids=["token", "token-2022"])
async def test_tokens_reach_a_wallet_that_never_held_them(here: Lab, token: Token) -> None:
    network, to = here.network(), somebody()
    await network.transfer(here.address, to, token, 12_345_678, "first", FEES)
    await network.transfer(here.address, to, token, 1, "second", FEES)
    mine, theirs = await asyncio.gather(
        network.balances(here.address, [token, SOL]), network.balances(to, [SOL, token])
    )
    assert theirs[1].units == 12_345_679
    assert theirs[0].units == 0
    assert mine[0].units == 10_000 * 10**token.decimals - 12_345_679
    assert mine[0].total == Decimal(mine[0].units or 0).scaleb(-token.decimals)
    assert (mine[0].asset, mine[0].token, mine[0].venue) == (token.symbol, token.address, INFO.id)


async def test_wrapping_and_unwrapping_are_exact(here: Lab) -> None:
    assert WSOL is not None
    network = here.network()
    await network.wrap(here.address, 5_000_000_000, "w1", FEES)
    await network.wrap(here.address, 1, "w2", FEES)
    await network.unwrap(here.address, 3_000_000_000, "u1", FEES)
    [wrapped] = await network.balances(here.address, [WSOL])
    assert wrapped.units == 2_000_000_001
    before = here.lamports(here.address)
    await network.unwrap(here.address, 2_000_000_001, "u2", FEES)
    assert here.lamports(here.address) == before + 2_000_000_001 - 5_000
    with pytest.raises(Refused) as refused:
        await network.unwrap(here.address, 1, "u3", FEES)
    assert refused.value.reason is Reason.INSUFFICIENT_BALANCE


async def test_holdings_find_what_nobody_listed(here: Lab) -> None:
    network = here.network(tokens=[USDC])
    found = {b.token: b for b in await network.holdings(here.address)}
    assert set(found) == {"", USDC.address, T22.address}
    assert found[USDC.address].asset == "USDC"
    assert found[T22.address].total == 10_000


async def test_many_balances_take_one_request(here: Lab) -> None:
    network = here.network()
    tokens = [Token(INFO.id, somebody(), f"X{i}", 6) for i in range(47)]
    await network.balances(here.address, [SOL])
    asked = Counter(here)
    balances = await network.balances(here.address, [SOL, USDC, *tokens, T22])
    assert asked() == 1
    assert len(balances) == 50
    assert [b.units for b in balances[2:-1]] == [0] * 47


class Counter:
    """Counts what the server answers from now on."""

    def __init__(self, here: Lab) -> None:
        self._count = 0
        answer = here.server._answer

        def counted(call: object) -> dict[str, object]:
            self._count += 1
            return answer(call)

        here.server._answer = counted  # type: ignore[method-assign]

    def __call__(self) -> int:
        return self._count


async def test_tokens_are_read_from_the_chain(here: Lab) -> None:
    network = here.network()
    token = await network.token(USDC.address)
    assert token.decimals == 6
    assert await network.token("") is INFO.native
    for address in (somebody(), here.address):
        with pytest.raises(Refused) as refused:
            await network.token(address)
        assert refused.value.reason is Reason.TOKEN_NOT_FOUND
    with pytest.raises(Refused) as refused:
        await network.token("nonsense")
    assert refused.value.reason is Reason.FIELD_INVALID


# --- once an intent --------------------------------------------------------------------------


async def test_an_intent_has_one_transaction_however_often_it_is_asked_for(here: Lab) -> None:
    network, to = here.network(), somebody()
    answers = await asyncio.gather(
        *(network.transfer(here.address, to, SOL, 10**9, "same", FEES) for _ in range(8))
    )
    await settle(here)
    again = await network.transfer(here.address, to, SOL, 10**9, "same", FEES)
    assert len({answer.hash for answer in [*answers, again]}) == 1
    assert again.status is TransactionStatus.FINAL
    assert here.signer.signed == 1
    assert here.lamports(to) == 10**9


async def test_sixteen_at_once_from_one_wallet_succeed(here: Lab) -> None:
    network, to = here.network(), somebody()
    await asyncio.gather(
        *(network.transfer(here.address, to, SOL, 10**9 + i, f"i{i}", FEES) for i in range(16))
    )
    await settle(here)
    assert here.lamports(to) == 16 * 10**9 + 120
    assert {t.status for t in here.log.latest().values()} == {TransactionStatus.FINAL}


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


async def test_killed_between_signing_and_sending_has_one_effect(
    here: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, to = here.network(), somebody()

    async def die(_: bytes) -> str:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(network._pool, "broadcast", die)
        with pytest.raises(Killed):
            await network.transfer(here.address, to, SOL, 10**9, "intent", FEES)
    assert here.lamports(to) == 0
    assert [t.status.name for t in here.log.latest().values()] == ["SIGNED"]

    # The bot asks again before the daemon has looked, and the daemon sends the same bytes.
    restarted = here.network()
    again = await restarted.transfer(here.address, to, SOL, 10**9, "intent", FEES)
    assert again.hash == next(iter(here.log.latest()))
    await restarted.poll()
    await settle(here)
    assert here.lamports(to) == 10**9
    assert here.signer.signed == 1
    assert [t.status.name for t in here.log.latest().values()] == ["FINAL"]


async def test_killed_before_the_journal_has_it_has_no_effect(
    here: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, to = here.network(), somebody()

    async def die(_: Transaction) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(here.log, "save", die)
        with pytest.raises(Killed):
            await network.transfer(here.address, to, SOL, 10**9, "intent", FEES)
    assert here.chain.arrived == 0
    restarted = here.network()
    await restarted.transfer(here.address, to, SOL, 10**9, "intent", FEES)
    assert here.lamports(to) == 10**9


async def test_a_restart_takes_up_what_is_pending(here: Lab) -> None:
    first, to = here.network(), somebody()
    here.chain.lose = 1
    sent = await first.transfer(here.address, to, SOL, 10**9, "intent", FEES)
    await first.stop()
    second = here.network(poll=0.01)
    await second.start()
    included = asyncio.create_task(second.wait_included(sent.hash, 20))
    async with asyncio.timeout(20):
        while not included.done():
            here.blocks(1)
            await asyncio.sleep(0.005)
    assert (await included).succeeded is True
    assert here.lamports(to) == 10**9
    assert second.condition.health is Health.READY
    assert second.height > 0


async def test_a_caller_that_goes_away_leaves_nothing_half_done(here: Lab) -> None:
    network, to = here.network(), somebody()
    for step in range(40):
        call = asyncio.create_task(network.transfer(here.address, to, SOL, 10**9, "intent", FEES))
        for _ in range(step):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
    await network.transfer(here.address, to, SOL, 10**9, "intent", FEES)
    assert here.lamports(to) == 10**9
    assert here.signer.signed == 1


# --- proof -----------------------------------------------------------------------------------


async def test_a_lost_transaction_is_sent_again_as_it_was(here: Lab) -> None:
    network, to = here.network(), somebody()
    here.chain.lose = 3
    sent = await network.transfer(here.address, to, SOL, 10**9, "intent", FEES)
    for _ in range(3):
        assert here.lamports(to) == 0
        here.blocks(6)
        await network.poll()
    assert here.chain.arrived == 4
    await settle(here)
    assert here.lamports(to) == 10**9
    assert here.log.latest()[sent.hash].status is TransactionStatus.FINAL


async def test_an_expired_blockhash_is_the_proof_of_death(here: Lab) -> None:
    network, to = here.network(), somebody()
    here.chain.lose = 1_000
    sent = await network.transfer(here.address, to, SOL, 10**9, "intent", FEES)
    # Past its last height, but not finally so: a block that is not final could still have it.
    here.blocks(155)
    await network.poll()
    assert here.log.latest()[sent.hash].status is TransactionStatus.BROADCAST
    here.blocks(40)
    await network.poll()
    dropped = here.log.latest()[sent.hash]
    assert dropped.status is TransactionStatus.DROPPED
    assert "expired" in dropped.reason
    assert (await network.wait_included(sent.hash, 1)).status is TransactionStatus.DROPPED
    # With that proof the same intent may have a second transaction, which is another one.
    here.chain.lose = 0
    again = await network.transfer(here.address, to, SOL, 10**9, "intent", FEES)
    assert again.hash != sent.hash
    await settle(here)
    assert here.lamports(to) == 10**9


async def test_a_node_without_the_history_proves_nothing(
    here: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = here.network()
    here.chain.lose = 1_000
    sent = await network.transfer(here.address, somebody(), SOL, 10**9, "intent", FEES)
    here.blocks(10_000)
    pruned = here.chain.slots.block().slot - 5
    monkeypatch.setitem(server._METHODS, "getFirstAvailableBlock", lambda chain, params: pruned)
    await network.poll()
    assert here.log.latest()[sent.hash].status is TransactionStatus.BROADCAST


async def test_it_landed_while_the_daemon_was_away(here: Lab) -> None:
    first, to = here.network(), somebody()
    sent = await first.transfer(here.address, to, SOL, 10**9, "intent", FEES)
    await first.stop()
    here.blocks(100_000)
    second = here.network(poll=0.01)
    await second.start()
    found = await asyncio.wait_for(_until_final(second, sent.hash), 20)
    assert found.status is TransactionStatus.FINAL
    assert found.fee == Decimal("0.000005")


async def _until_final(network: SolanaNetwork, hash: str) -> Transaction:
    done = asyncio.Event()
    network.on_transaction(lambda t: done.set() if t.is_final else None)
    await done.wait()
    return await network.transaction(hash)


async def test_a_failure_on_chain_is_reverted_with_its_reason(
    here: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, to = here.network(), somebody()
    # The simulation is passed before somebody else empties the account.
    here.chain.lose = 1
    sent = await network.transfer(here.address, to, USDC, 10_000 * 10**6, "big", FEES)
    await network.transfer(here.address, to, USDC, 1, "small", FEES)
    here.blocks(6)
    await network.poll()
    await settle(here)
    reverted = here.log.latest()[sent.hash]
    assert reverted.status is TransactionStatus.REVERTED
    assert reverted.succeeded is False
    assert "insufficient funds" in reverted.reason
    assert reverted.fee == Decimal("0.000005")
    [balance] = await network.balances(to, [USDC])
    assert balance.units == 1


async def test_nobody_knows_in_time_is_unconfirmed_not_failed(here: Lab) -> None:
    network = here.network()
    here.chain.lose = 1_000
    sent = await network.transfer(here.address, somebody(), SOL, 10**9, "intent", FEES)
    with pytest.raises(Unconfirmed) as unknown:
        await network.wait_included(sent.hash, 0.01)
    assert unknown.value.reason is Reason.OUTCOME_UNKNOWN
    with pytest.raises(Refused) as refused:
        await network.wait_included("1" * 64, 0.01)
    assert refused.value.reason is Reason.TRANSACTION_NOT_FOUND


async def test_a_journal_that_breaks_after_sending_does_not_refuse_what_was_sent(
    here: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, to, save = here.network(), somebody(), here.log.save

    async def first_only(transaction: Transaction) -> None:
        if transaction.status is not TransactionStatus.SIGNED:
            raise Refused(Reason.JOURNAL_UNAVAILABLE, "no space left")
        await save(transaction)

    with monkeypatch.context() as patch:
        patch.setattr(here.log, "save", first_only)
        sent = await network.transfer(here.address, to, SOL, 10**9, "intent", FEES)
        assert sent.status is TransactionStatus.SIGNED
        here.blocks(2)
        await network.poll()
        assert network.condition.health is Health.DOWN
        assert "no space left" in network.condition.reason
    await settle(here)
    assert here.log.latest()[sent.hash].status is TransactionStatus.FINAL
    assert here.lamports(to) == 10**9


# --- refusals --------------------------------------------------------------------------------


async def test_what_cannot_work_is_refused_before_it_is_signed(here: Lab) -> None:
    network, to = here.network(), somebody()
    usdc_account = (await network.holdings(here.address))[1]
    assert usdc_account.units
    other = Token("solana", USDC.address, "USDC", 6)
    wrong = Token(INFO.id, USDC.address, "USDC", 9)
    unknown = Token(INFO.id, somebody(), "NONE", 6)
    cases = [
        (to, SOL, 1_000 * 10**9, Reason.INSUFFICIENT_BALANCE),
        (to, USDC, 10**12, Reason.INSUFFICIENT_BALANCE),
        (to, SOL, 1, Reason.SIMULATION_FAILED),  # below the rent-exempt minimum
        (to, SOL, 0, Reason.FIELD_INVALID),
        (to, SOL, -1, Reason.FIELD_INVALID),
        (to, USDC, 1 << 64, Reason.FIELD_INVALID),
        ("nobody", SOL, 1, Reason.FIELD_INVALID),
        (USDC.address, USDC, 1, Reason.FIELD_INVALID),
        (to, other, 1, Reason.FIELD_INVALID),
        (to, wrong, 1, Reason.FIELD_INVALID),
        (to, unknown, 1, Reason.TOKEN_NOT_FOUND),
    ]
    for number, (target, token, units, reason) in enumerate(cases):
        with pytest.raises(Refused) as refused:
            await network.transfer(here.address, target, token, units, f"case {number}", FEES)
        assert refused.value.reason is reason, (target, token, units, refused.value)
    assert here.signer.signed == 0
    assert here.chain.arrived == 0
    assert here.log.history == []


async def test_a_wallet_without_coins_is_told_so(tmp_path: Path) -> None:
    async with lab(tmp_path, funded=False) as here:
        with pytest.raises(Refused) as refused:
            await here.network().transfer(here.address, somebody(), SOL, 10**9, "i", FEES)
        assert refused.value.reason is Reason.INSUFFICIENT_BALANCE


async def test_the_fee_cap_counts_before_signing(here: Lab) -> None:
    network, to = here.network(), somebody()
    tight = FeeOptions(max_fee=Decimal("0.000004999"))
    with pytest.raises(Refused) as refused:
        await network.transfer(here.address, to, SOL, 10**9, "intent", tight)
    assert refused.value.reason is Reason.FEE_CAP_EXCEEDED
    assert here.signer.signed == 0
    exact = FeeOptions(max_fee=Decimal("0.000005"))
    await network.transfer(here.address, to, SOL, 10**9, "intent", exact)
    with pytest.raises(Refused) as refused:
        await network.transfer(here.address, to, SOL, 10**9, "x", FeeOptions(strategy="warp"))
    assert refused.value.reason is Reason.FIELD_INVALID


async def test_a_busy_chain_is_paid_what_others_pay(here: Lab) -> None:
    network, to = here.network(), somebody()
    here.chain.prices.extend((here.chain.slots.block().slot - i, 1_000 * i) for i in range(150))
    sent = await network.transfer(here.address, to, SOL, 10**9, "i", FeeOptions(strategy="fast"))
    price, units = int(sent.details["compute_unit_price"]), int(sent.details["compute_units"])
    assert price == 134_000
    here.blocks(2)
    await network.poll()
    included = await network.transaction(sent.hash)
    assert included.fee == Decimal(5_000 - (-price * units // 1_000_000)).scaleb(-9)
    assert included.fee == Decimal(sent.details["max_fee"])
    options = FeeOptions(strategy="fast", max_fee=Decimal("0.000005"))
    with pytest.raises(Refused) as refused:
        await network.transfer(here.address, to, SOL, 10**9, "j", options)
    assert refused.value.reason is Reason.FEE_CAP_EXCEEDED


# --- nodes -----------------------------------------------------------------------------------


async def test_a_dead_node_is_passed_over(here: Lab) -> None:
    network, to = here.network("http://127.0.0.1:9/secret-key", here.url), somebody()
    sent = await network.transfer(here.address, to, SOL, 10**9, "intent", FEES)
    assert sent.status is TransactionStatus.BROADCAST
    assert here.lamports(to) == 10**9


async def test_without_nodes_nothing_is_claimed(here: Lab) -> None:
    network = here.network("http://127.0.0.1:9/secret-key")
    await network.poll()
    assert network.condition.health is Health.DOWN
    with pytest.raises(CambistError) as failed:
        await network.transaction("1" * 64)
    assert failed.value.reason is Reason.NODE_UNAVAILABLE
    assert "secret-key" not in str(failed.value) + str(failed.value.metadata)
    assert "secret-key" not in network.condition.reason


async def test_a_node_that_vanishes_after_signing_leaves_it_to_be_found(
    here: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, to = here.network(), somebody()

    async def unreachable(_: bytes) -> str:
        return "127.0.0.1: connection lost"

    with monkeypatch.context() as patch:
        patch.setattr(network._pool, "broadcast", unreachable)
        sent = await network.transfer(here.address, to, SOL, 10**9, "intent", FEES)
    assert sent.status is TransactionStatus.SIGNED
    here.blocks(6)
    await network.poll()
    await settle(here)
    assert here.log.latest()[sent.hash].status is TransactionStatus.FINAL
    assert here.lamports(to) == 10**9


async def test_a_node_of_another_cluster_gets_nothing(here: Lab, tmp_path: Path) -> None:
    real = SolanaNetwork(NETWORKS["solana"].info, [here.url], here.clock, here.signer, here.log)
    with pytest.raises(CambistError, match="another cluster") as failed:
        await real.transfer(here.address, somebody(), real.info.native, 10**9, "i", FEES)
    assert failed.value.reason is Reason.NODE_UNAVAILABLE
    assert here.chain.arrived == 0
    await real.stop()


async def test_transactions_of_others_are_shown_as_they_are(here: Lab) -> None:
    mine, to = here.network(), somebody()
    sent = await mine.transfer(here.address, to, SOL, 10**9, "intent", FEES)
    other = here.network()
    assert (await other.transaction(sent.hash)).status is TransactionStatus.SEEN
    here.blocks(40)
    found = await other.transaction(sent.hash)
    assert found.status is TransactionStatus.FINAL
    assert (found.address, found.raw) == (here.address, sent.raw)
    assert found.fee == Decimal("0.000005")
    for hash, reason in (("1" * 64, Reason.TRANSACTION_NOT_FOUND), ("x", Reason.FIELD_INVALID)):
        with pytest.raises(Refused) as refused:
            await other.transaction(hash)
        assert refused.value.reason is reason
