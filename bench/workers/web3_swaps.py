"""The same work done with web3.py against the node: a quote is the router's own answer; a swap is a
quote, a signed transaction, and its receipt. Arguments: the node's url, the router, WETH, USDC.

For each "quotes <seconds>" heard, so many quotes one after the other; for "swaps <number>" so many
swaps. Says the times in us.
"""

import sys
import time
from typing import Any

from eth_account import Account
from web3 import Web3

from bench.workers.talk import say

_ETHER = 10**18
_ABI: list[dict[str, Any]] = [
    {
        "name": "getAmountsOut",
        "type": "function",
        "stateMutability": "view",
        "inputs": [{"name": "a", "type": "uint256"}, {"name": "p", "type": "address[]"}],
        "outputs": [{"name": "", "type": "uint256[]"}],
    },
    {
        "name": "swapExactETHForTokens",
        "type": "function",
        "stateMutability": "payable",
        "inputs": [
            {"name": "m", "type": "uint256"},
            {"name": "p", "type": "address[]"},
            {"name": "to", "type": "address"},
            {"name": "d", "type": "uint256"},
        ],
        "outputs": [{"name": "", "type": "uint256[]"}],
    },
]


def main(url: str, router_address: str, weth: str, usdc: str) -> None:
    """A development account of its own, funded by the node."""
    w3 = Web3(Web3.HTTPProvider(url))
    router: Any = w3.eth.contract(address=w3.to_checksum_address(router_address), abi=_ABI)
    account = Account.create()
    balance: Any = "anvil_setBalance"
    w3.provider.make_request(balance, [account.address, hex(1_000 * _ETHER)])
    path = [w3.to_checksum_address(weth), w3.to_checksum_address(usdc)]

    def quote(units: int) -> int:
        found: int = router.functions.getAmountsOut(units, path).call()[-1]
        return found

    def swap(number: int) -> None:
        units = _ETHER // 1_000 + number
        least = quote(units) * 995 // 1_000
        call = router.functions.swapExactETHForTokens(least, path, account.address, 2**40)
        plan = call.build_transaction({"from": account.address, "value": units})
        # An estimate does not see what the pair writes once a block.
        plan["gas"] += 50_000
        plan["nonce"] = w3.eth.get_transaction_count(account.address)
        hash = w3.eth.send_raw_transaction(account.sign_transaction(plan).raw_transaction)
        receipt = w3.eth.wait_for_transaction_receipt(hash, poll_latency=0.001)
        assert receipt["status"] == 1

    say({"ready": True})
    number = 0
    for line in sys.stdin:
        what, amount = line.split()
        times: list[float] = []
        until = time.perf_counter() + float(amount)  # float: seconds
        while time.perf_counter() < until if what == "quotes" else len(times) < int(amount):
            number += 1
            began = time.perf_counter()
            if what == "quotes":
                quote(_ETHER // 10 + number)
            else:
                swap(number)
            times.append(round((time.perf_counter() - began) * 1e6))
        say({"times": times})


if __name__ == "__main__":
    main(*sys.argv[1:])
