"""The sandbox's chain: deployed, kept, found again, ended."""

import fcntl
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chains.evm import erc20
from chains.evm.abi import address_word, selector, uint_at, uint_word
from chains.evm.model import Call, TransactionPlan
from chains.localnet import keeper, packages
from chains.localnet.chain import LocalChain
from chains.localnet.deployment import Deployment
from chains.localnet.packages import LeftOut
from core.clock import SystemClock
from core.errors import CambistError
from core.ports import FeeOptions
from tests.support.evm import ALICE, BOB, MemoryLog, installed, network, until

pytestmark = pytest.mark.evm
ETHER = 10**18
NEWCOMER = "0x1111111111111111111111111111111111111111"


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """What a daemon does for as long as it lives."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


async def started(chain: LocalChain, *fund: str) -> Deployment:
    installed()
    found = await chain.start(fund)
    assert isinstance(found, Deployment)
    return found


def anvil_pid(directory: Path) -> int:
    return int(json.loads((directory / keeper.ADDRESS).read_text())["anvil"])


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_deployed_funded_and_stopped(tmp_path: Path) -> None:
    with lock(tmp_path / "lock"):
        chain = LocalChain(tmp_path / "chain", tmp_path / "lock", SystemClock())
        try:
            made = await started(chain, NEWCOMER)
            assert made.fresh
            async with network(made.urls, info=made.info) as net:
                contracts = made.contracts
                balances = await net.balances(NEWCOMER, [net.info.native, *contracts.tokens])
                held = {balance.asset: str(balance.total.normalize()) for balance in balances}
                assert held["ETH"] == "1E+2"
                assert held["USDC"] == held["DAI"] == "2E+5"
                assert held["WBTC"] == "2"
                assert held["WAVAX"] == "1E+3"
                for token in contracts.tokens:
                    assert await net.token(token.address) == token
            pid = anvil_pid(tmp_path / "chain")
        finally:
            await chain.stop()
        await until(lambda: not lives(pid))
        assert (tmp_path / "chain" / keeper.STATE).exists()
        await chain.stop()  # a second time is nothing


async def test_the_pools_stand_where_the_hashes_say_and_at_their_prices(tmp_path: Path) -> None:
    with lock(tmp_path / "lock"):
        chain = LocalChain(tmp_path / "chain", tmp_path / "lock", SystemClock())
        try:
            made = await started(chain, ALICE)
            contracts = made.contracts
            async with network(made.urls, info=made.info) as net:
                for exchange in (contracts.uniswap_v2, contracts.pangolin):
                    for name, pair in exchange.pairs.items():
                        one, other = (contracts.token(symbol) for symbol in name.split("-"))
                        lookup = selector("getPair(address,address)")
                        lookup += address_word(one.address) + address_word(other.address)
                        (answer,) = await net.multicall([Call(exchange.factory, lookup)])
                        assert isinstance(answer, bytes)
                        assert "0x" + answer[12:].hex() == pair.lower()
                        # The router finds the pair only if it has the right init code hash.
                        amounts = selector("getAmountsOut(uint256,address[])")
                        amounts += uint_word(10**one.decimals // 1000) + uint_word(64)
                        amounts += uint_word(2) + address_word(one.address)
                        amounts += address_word(other.address)
                        (answer,) = await net.multicall([Call(exchange.router, amounts)])
                        assert isinstance(answer, bytes)
                        price = uint_at(answer, 3) * 1000 / 10**other.decimals
                        expected = {"WETH-USDC": 3000, "WETH-DAI": 3000, "WBTC-WETH": 20}
                        assert price == pytest.approx(expected.get(name, 30), rel=0.01)
        finally:
            await chain.stop()


async def test_a_pangolin_swap_works_through_the_patched_router(tmp_path: Path) -> None:
    with lock(tmp_path / "lock"):
        chain = LocalChain(tmp_path / "chain", tmp_path / "lock", SystemClock())
        try:
            made = await started(chain, ALICE)
            pangolin, wavax = made.contracts.pangolin, made.contracts.token("WAVAX")
            usdc = made.contracts.token("USDC")
            async with network(made.urls, info=made.info) as net:
                approve = erc20.approve(pangolin.router, ETHER)
                plan = TransactionPlan(ALICE, wavax.address, approve, 0, "i", "approve")
                await net.wait_included((await net.send(plan, FeeOptions())).hash, 10)
                data = selector(
                    "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"
                )
                data += uint_word(ETHER) + uint_word(29 * 10**6) + uint_word(160)
                data += address_word(ALICE) + uint_word(2**40) + uint_word(2)
                data += address_word(wavax.address) + address_word(usdc.address)
                plan = TransactionPlan(ALICE, pangolin.router, data, 0, "i", "swap")
                swap = await net.wait_included((await net.send(plan, FeeOptions())).hash, 10)
                assert swap.succeeded
                units = (await net.balances(ALICE, [usdc]))[0].units
                assert units is not None
                assert units > 200_029 * 10**6
        finally:
            await chain.stop()


async def test_state_history_and_funding_survive_a_stop(tmp_path: Path) -> None:
    with lock(tmp_path / "lock"):
        chain, log = LocalChain(tmp_path / "c", tmp_path / "lock", SystemClock()), MemoryLog()
        try:
            first = await started(chain, ALICE)
            async with network(first.urls, log, info=first.info) as net:
                sent = await net.transfer(ALICE, BOB, net.info.native, 7, "i", FeeOptions())
                done = await net.wait_included(sent.hash, 10)
            await chain.stop()
            second = await started(chain, ALICE, BOB)
            assert not second.fresh
            assert second.contracts == first.contracts
            assert second.funded == (ALICE, BOB)
            async with network(second.urls, log, info=second.info) as net:
                receipt = await net.receipt(sent.hash)
                assert receipt is not None
                assert receipt.block == done.block
                for wallet in (ALICE, BOB):  # once each
                    balances = await net.balances(wallet, [first.contracts.token("USDC")])
                    assert balances[0].units == 200_000 * 10**6
        finally:
            await chain.stop()


async def test_a_second_daemon_in_the_same_directory_finds_the_same_chain(tmp_path: Path) -> None:
    """As after a SIGKILL: nobody stopped anything, and the next one attaches."""
    directory, locked = tmp_path / "chain", tmp_path / "lock"
    try:
        with lock(locked):
            first = await started(LocalChain(directory, locked, SystemClock()), ALICE)
            pid = anvil_pid(directory)
        with lock(locked):
            second = await started(LocalChain(directory, locked, SystemClock()), ALICE)
            assert second.url == first.url
            assert not second.fresh
            assert anvil_pid(directory) == pid
    finally:
        await LocalChain(directory, locked, SystemClock()).stop()


async def test_two_directories_are_two_chains(tmp_path: Path) -> None:
    with lock(tmp_path / "lock"):
        chains = [LocalChain(tmp_path / n, tmp_path / "lock", SystemClock()) for n in "ab"]
        try:
            a, b = [await started(chain) for chain in chains]
            assert a.url != b.url
            assert a.contracts == b.contracts
        finally:
            for chain in chains:
                await chain.stop()


async def test_a_chain_that_nobody_comes_back_to_ends_with_its_state(tmp_path: Path) -> None:
    directory, locked = tmp_path / "chain", tmp_path / "lock"
    chain = LocalChain(directory, locked, SystemClock(), grace=0.3)
    with lock(locked):
        await started(chain, ALICE)
        pid = anvil_pid(directory)
    await until(lambda: not lives(pid), limit=15)
    await until(lambda: not (directory / keeper.ADDRESS).exists())
    with lock(locked):
        try:
            again = await started(chain, ALICE)
            assert not again.fresh
        finally:
            await chain.stop()


async def test_a_keeper_that_is_killed_takes_anvil_along(tmp_path: Path) -> None:
    directory, locked = tmp_path / "chain", tmp_path / "lock"
    chain = LocalChain(directory, locked, SystemClock())
    with lock(locked):
        try:
            await started(chain)
            wire = json.loads((directory / keeper.ADDRESS).read_text())
            os.kill(wire["keeper"], signal.SIGKILL)
            await until(lambda: not lives(wire["anvil"]))
            again = await started(chain)
            assert anvil_pid(directory) != wire["anvil"]
            assert again.contracts.tokens
        finally:
            await chain.stop()


async def test_a_damaged_state_is_set_aside_and_said(tmp_path: Path) -> None:
    directory, locked = tmp_path / "chain", tmp_path / "lock"
    directory.mkdir()
    (directory / keeper.STATE).write_text('{"block": {"number"')
    chain = LocalChain(directory, locked, SystemClock())
    with lock(locked):
        try:
            made = await started(chain)
            assert made.fresh
            assert "could not read its state" in (directory / keeper.LOG).read_text()
            assert (directory / keeper.UNREADABLE).exists()
        finally:
            await chain.stop()


async def test_an_interrupted_deployment_is_begun_anew(tmp_path: Path) -> None:
    directory, locked = tmp_path / "chain", tmp_path / "lock"
    chain = LocalChain(directory, locked, SystemClock())
    with lock(locked):
        try:
            made = await started(chain)
            (directory / "deployment.json").unlink()
            again = await started(chain)
            assert not again.fresh  # all of it is there: only the manifest was lost
            assert again.contracts == made.contracts
            async with network(made.urls, info=made.info) as net:
                router = made.contracts.pangolin.router
                await net.rpc.call("anvil_setCode", [router, "0x"])
            begun = await started(chain)
            assert begun.fresh
            assert begun.contracts == made.contracts
        finally:
            await chain.stop()


async def test_other_options_restart_the_chain(tmp_path: Path) -> None:
    directory, locked = tmp_path / "chain", tmp_path / "lock"
    with lock(locked):
        try:
            first = await started(LocalChain(directory, locked, SystemClock()))
            timed = LocalChain(directory, locked, SystemClock(), block_time=1)
            second = await started(timed)
            assert not second.fresh
            assert second.url != first.url
            async with network(second.urls, info=second.info) as net:
                await until(lambda: net.head)
                height = net.height
                await until(lambda: net.height > height)  # without a transaction
        finally:
            await LocalChain(directory, locked, SystemClock()).stop()


async def test_without_anvil_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAMBIST_ANVIL", str(tmp_path / "nothing"))
    installed_or_not = packages.find()
    assert isinstance(installed_or_not, LeftOut)
    found = await LocalChain(tmp_path / "c", tmp_path / "lock", SystemClock()).start()
    assert isinstance(found, LeftOut)
    assert "CAMBIST_ANVIL" in found.reason or "make setup" in found.reason
    assert not (tmp_path / "c").exists()


async def test_an_anvil_that_does_not_start_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed()
    directory = tmp_path / "c"
    directory.mkdir()
    (directory / keeper.STATE).write_text("not to blame")
    monkeypatch.setenv("CAMBIST_ANVIL", "/bin/false")
    with pytest.raises(CambistError) as caught:
        await LocalChain(directory, tmp_path / "lock", SystemClock()).start()
    assert "does not start" in caught.value.message
    assert (directory / keeper.STATE).read_text() == "not to blame"
