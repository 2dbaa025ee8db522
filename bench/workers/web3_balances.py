"""The same balances asked by web3.py from the node itself: a call each, and all in one batch.

Arguments: URL OWNER. The tokens are deployed here, through web3.py as well, and said first.
"""

import asyncio
import sys
import time
from typing import Any

from web3 import AsyncHTTPProvider, AsyncWeb3, HTTPProvider, Web3

from bench.workers.talk import Ears, say
from chains.localnet.packages import sandbox_code

TOKENS = 20
_WORDS = {"type": "string", "name": ""}
_ABI: Any = [
    {"type": "constructor", "inputs": [_WORDS, _WORDS, {"type": "uint8", "name": "decimals"}]},
    {
        "type": "function",
        "name": "mint",
        "inputs": [{"type": "address", "name": "to"}, {"type": "uint256", "name": "units"}],
        "outputs": [],
        "stateMutability": "nonpayable",
    },
    {
        "type": "function",
        "name": "balanceOf",
        "inputs": [{"type": "address", "name": "owner"}],
        "outputs": [{"type": "uint256", "name": ""}],
        "stateMutability": "view",
    },
]


def deploy(url: str, owner: str) -> list[Any]:
    """Addresses of new tokens, of each of which the owner has some."""
    web3 = Web3(HTTPProvider(url))
    maker = web3.eth.accounts[0]
    made = []
    for number in range(TOKENS):
        factory = web3.eth.contract(abi=_ABI, bytecode=sandbox_code("SandboxToken"))
        sent = factory.constructor(f"Token {number}", f"B{number}", 18).transact({"from": maker})
        receipt = web3.eth.wait_for_transaction_receipt(sent, poll_latency=0.005)
        address = receipt["contractAddress"]
        token = web3.eth.contract(address=address, abi=_ABI)
        sent = token.functions.mint(Web3.to_checksum_address(owner), 10**18).transact(
            {"from": maker}
        )
        web3.eth.wait_for_transaction_receipt(sent, poll_latency=0.005)
        made.append(address)
    return made


async def main(url: str, owner: str) -> None:
    """Asks when told to, both ways."""
    ears = await Ears().open()
    addresses = deploy(url, owner)
    say({"tokens": addresses})
    web3 = AsyncWeb3(AsyncHTTPProvider(url))
    tokens = [web3.eth.contract(address=address, abi=_ABI) for address in addresses]
    who = Web3.to_checksum_address(owner)
    while True:
        count = int(await ears.word())
        singly, batched = [], []
        for _ in range(count):
            began = time.perf_counter_ns()
            await web3.eth.get_balance(who)
            for token in tokens:
                await token.functions.balanceOf(who).call()
            singly.append((time.perf_counter_ns() - began) / 1000)
            began = time.perf_counter_ns()
            async with web3.batch_requests() as batch:
                batch.add(web3.eth.get_balance(who))
                for token in tokens:
                    batch.add(token.functions.balanceOf(who))
                found = await batch.async_execute()
            batched.append((time.perf_counter_ns() - began) / 1000)
            if len(found) != TOKENS + 1:
                raise RuntimeError(f"{len(found)} balances of {TOKENS + 1}")
        say({"singly": singly, "batched": batched})


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
