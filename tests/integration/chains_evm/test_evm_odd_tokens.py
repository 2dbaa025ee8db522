"""Tokens not made by the book: what the chain says of them is told, or said to be missing."""

import pytest
from eth_abi.abi import encode

from chains.evm import erc20
from core.errors import CambistError, Reason
from tests.support.evm import ALICE, Anvil, anvil, network

pytestmark = pytest.mark.evm
WORD = 32


def answering(answers: dict[bytes, bytes]) -> str:
    """A contract's code: for each call's first four bytes, what it returns; all else reverts."""
    dispatcher = bytes.fromhex("60003560e01c")
    size = len(dispatcher) + len(answers) * 11 + 5
    bodies, jumps = b"", b""
    for call, data in answers.items():
        place = size + len(bodies)
        jumps += b"\x80\x63" + call[:4] + b"\x14\x61" + place.to_bytes(2, "big") + b"\x57"
        start = place + 14
        body = b"\x5b\x61" + len(data).to_bytes(2, "big") + b"\x61" + start.to_bytes(2, "big")
        body += b"\x5f\x39\x61" + len(data).to_bytes(2, "big") + b"\x5f\xf3"
        bodies += body.ljust(14, b"\x00") + data
    return "0x" + (dispatcher + jumps + bytes.fromhex("5f5ffd0000") + bodies).hex()


async def deployed(node: Anvil, number: int, answers: dict[bytes, bytes]) -> str:
    address = "0x" + f"{number:02x}" * 20
    await node.rpc.call("anvil_setCode", [address, answering(answers)])
    return address


def text(value: str) -> bytes:
    return bytes(encode(["string"], [value]))


SIX = (6).to_bytes(WORD, "big")


@pytest.mark.parametrize(
    ("symbol", "name", "shown"),
    [
        (b"MKR".ljust(WORD, b"\0"), b"Maker".ljust(WORD, b"\0"), ("MKR", "Maker")),
        (text("USDC"), text("USD Coin"), ("USDC", "USD Coin")),
        (text("US\u202eDC\x07"), text("USD\x1b[31m Coin"), ("USDC", "USD[31m Coin")),
        (text(""), text(""), ("0x11111111", "")),
        (text("A" * 3000), text("B" * 3000), ("A" * 32, "B" * 64)),
        (b"\xff" * 7, b"", ("0x11111111", "")),
        (b"\xff\xfe".ljust(WORD, b"\0"), text("x"), ("\ufffd\ufffd", "x")),
    ],
)
async def test_symbols_and_names_as_they_come(
    symbol: bytes, name: bytes, shown: tuple[str, str]
) -> None:
    async with anvil() as node, network([node.url]) as net:
        answers = {erc20.decimals(): SIX, erc20.symbol(): symbol, erc20.name(): name}
        token = await net.token(await deployed(node, 0x11, answers))
        assert (token.symbol, token.name, token.decimals) == (*shown, 6)


async def test_a_token_without_symbol_and_name_goes_by_its_address() -> None:
    async with anvil() as node, network([node.url]) as net:
        address = await deployed(node, 0x22, {erc20.decimals(): SIX})
        token = await net.token(address)
        assert (token.symbol, token.name) == (address[:10], "")


@pytest.mark.parametrize("decimals", [None, b"", (78).to_bytes(WORD, "big"), b"\xff" * WORD])
async def test_without_decimals_nothing_is_a_token(decimals: bytes | None) -> None:
    async with anvil() as node, network([node.url]) as net:
        answers = {erc20.symbol(): text("NFT")}
        if decimals is not None:
            answers[erc20.decimals()] = decimals
        address = await deployed(node, 0x33, answers)
        for _ in range(2):
            with pytest.raises(CambistError) as caught:
                await net.token(address)
            assert caught.value.reason is Reason.TOKEN_NOT_FOUND
            assert "decimals" in caught.value.message or "result" in caught.value.message


async def test_an_account_without_code_is_no_token() -> None:
    async with anvil() as node, network([node.url]) as net:
        with pytest.raises(CambistError) as caught:
            await net.token(ALICE)
        assert caught.value.reason is Reason.TOKEN_NOT_FOUND
