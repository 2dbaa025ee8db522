"""Calldata of ERC-20 tokens and of wrapped native coins. Pure; units are the token's smallest.

https://eips.ethereum.org/EIPS/eip-20
"""

from chains.evm.abi import address_word, selector, uint_word

MAX_UINT = 2**256 - 1
TRANSFER_TOPIC = bytes.fromhex("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")


def balance_of(owner: str) -> bytes:
    return selector("balanceOf(address)") + address_word(owner)


def allowance(owner: str, spender: str) -> bytes:
    return selector("allowance(address,address)") + address_word(owner) + address_word(spender)


def transfer(to: str, units: int) -> bytes:
    return selector("transfer(address,uint256)") + address_word(to) + uint_word(units)


def transfer_from(sender: str, to: str, units: int) -> bytes:
    head = selector("transferFrom(address,address,uint256)")
    return head + address_word(sender) + address_word(to) + uint_word(units)


def approve(spender: str, units: int) -> bytes:
    """Exactly `units`; nothing in Cambist approves more than it is asked to."""
    return selector("approve(address,uint256)") + address_word(spender) + uint_word(units)


def decimals() -> bytes:
    return selector("decimals()")


def symbol() -> bytes:
    return selector("symbol()")


def name() -> bytes:
    return selector("name()")


def deposit() -> bytes:
    """Wraps the transaction's value."""
    return selector("deposit()")


def withdraw(units: int) -> bytes:
    """Unwraps."""
    return selector("withdraw(uint256)") + uint_word(units)
