"""Quotes and swaps on the sandbox's chain, beside the same work by web3.py calls to its node.

Sixteen callers are calls at once of one program, which shares the machine with the daemon.
"""

import json
import statistics
from contextlib import AsyncExitStack
from pathlib import Path

from bench.case import Setting
from bench.child import Child, worker
from bench.local import address, running_daemon
from bench.results import Result

TITLE = "quotes and swaps"
ORDER = 7
_VENUES = ("uniswap_v2@ethereum_local", "uniswap_v3@ethereum_local", "router@ethereum_local")
_CALLS = 16
_LONG = 60.0  # float: seconds; the chain deploys its contracts first


async def run(setting: Setting) -> list[Result]:
    """The median of several windows, by turns."""
    rounds, seconds, swaps = (1, "0.5", 5) if setting.quick else (3, "1.0", 20)
    folder = setting.work_dir
    config = folder / "c.toml"
    config.write_text("[sandbox]\nsolana = false\n")
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        await enter(running_daemon("sandbox", "--config", str(config), folder=folder))
        swapper = await enter(
            worker("workers.swaps", address("sandbox", folder), _VENUES[0], folder=folder)
        )
        await swapper.answer(_LONG)
        web3 = await enter(worker("workers.web3_swaps", *_chain(folder), folder=folder))
        await web3.answer()
        socket = f"unix:{folder / 'sandbox' / 'cambist.sock'}"
        found = []
        for venue in _VENUES:
            alone = await enter(worker("workers.quotes", socket, "1", venue, folder=folder))
            many = await enter(worker("workers.quotes", socket, str(_CALLS), venue, folder=folder))
            for child in (alone, many):
                await child.answer()
            rates, times, peers = [], [], []
            for _ in range(rounds):
                rates.append(len(await _told(many, seconds)) / float(seconds))  # float: seconds
                times += await _told(alone, seconds)
                peers += await _told(web3, f"quotes {seconds}")
            found += _quotes(venue, statistics.median(rates), times, peers)
        ours: list[int] = []
        theirs: list[int] = []
        for _ in range(rounds):
            ours += await _told(swapper, str(swaps))
            theirs += await _told(web3, f"swaps {swaps}")
    return [*found, _swaps(ours, theirs)]


async def _told(child: Child, word: str) -> list[int]:
    await child.say(word)
    times: list[int] = (await child.answer())["times"]
    return times


def _chain(folder: Path) -> list[str]:
    """Where the node and its contracts are, as the daemon wrote it down."""
    local = folder / "sandbox" / "localnet"
    port = json.loads((local / "chain.json").read_text())["port"]
    contracts = json.loads((local / "deployment.json").read_text())["contracts"]
    tokens = {token["symbol"]: token["address"] for token in contracts["tokens"]}
    router = contracts["uniswap_v2"]["router"]
    return [f"http://127.0.0.1:{port}", router, tokens["WETH"], tokens["USDC"]]


def _quotes(venue: str, rate: float, times: list[int], peers: list[int]) -> list[Result]:
    # float: measured seconds, no money
    name, peer = venue.partition("@")[0], "web3.py, one call to the node a quote"
    ours, theirs = statistics.median(times) / 1000, statistics.median(peers) / 1000
    return [
        Result(
            f"quotes of {name}, 16 callers",
            rate,
            "1/s",
            peer,
            1000 / theirs,
            more_is_better=True,
            expected=5_000,
            note="the peer is one caller",
        ),
        Result(
            f"one quote of {name}, median", ours, "ms", peer, theirs, more_is_better=False,
            expected=0.6,
        ),
    ]  # fmt: skip


def _swaps(ours: list[int], theirs: list[int]) -> Result:
    return Result(
        "swap, from the request to the confirmed receipt, median",
        statistics.median(ours) / 1000,
        "ms",
        "web3.py: quote, sign, send, receipt",
        statistics.median(theirs) / 1000,
        more_is_better=False,
        expected=30.0,
        note="ours is quoted, simulated, journaled, and told by an event",
    )
