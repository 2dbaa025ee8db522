"""What a wallet holds: the native coin and 20 tokens, through the daemon in one call, beside
web3.py that asks the same node."""

import json
import statistics
from contextlib import AsyncExitStack

import cambist
from bench.case import Setting
from bench.child import worker
from bench.local import address, running_daemon
from bench.ready import until_ready
from bench.results import Result

TITLE = "balances of a wallet"
ORDER = 7
_NETWORK, _WALLET, _TOKENS = "ethereum_local", "trader", 20


async def run(setting: Setting) -> list[Result]:
    """By turns, one call at a time."""
    rounds, calls = (2, 5) if setting.quick else (5, 25)
    folder = setting.work_dir
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        await enter(running_daemon("sandbox", folder=folder))
        where = address("sandbox", folder)
        ours = await enter(worker("workers.balances", where, _NETWORK, _WALLET, folder=folder))
        await ours.answer()
        async with cambist.connect(where) as client:
            await until_ready(client)
            wallets = {one.name: one.address async for one in client.wallets.list_wallets()}
        wire = json.loads((folder / "sandbox" / "localnet" / "chain.json").read_text())
        url = f"http://127.0.0.1:{wire['port']}"
        web3 = await enter(worker("workers.web3_balances", url, wallets[_WALLET], folder=folder))
        await ours.say(",".join((await web3.answer())["tokens"]))
        times: dict[str, list[float]] = {"balances": [], "singly": [], "batched": []}
        for number in range(rounds + 1):
            for child in (ours, web3):
                await child.say(str(calls))
                answer = await child.answer()
                if answer.get("count", _TOKENS) < _TOKENS:
                    raise RuntimeError(f"{answer['count']} balances of {_TOKENS}")
                for name in times.keys() & answer.keys():
                    times[name] += answer[name] if number else []  # the first round warms up
    return [
        Result(
            "balances of native and 20 tokens, median",
            _milliseconds(times["balances"]),
            "ms",
            "web3.py, a call each",
            _milliseconds(times["singly"]),
            more_is_better=False,
            expected=10.0,
            note=f"web3.py with one batch: {_milliseconds(times['batched']):.2f} ms",
        )
    ]


def _milliseconds(times: list[float]) -> float:
    return statistics.median(times) / 1000
