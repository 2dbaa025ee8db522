"""web3signer's eth1 API with keys in memory: what the real one answers, and what it may answer on a
bad day. core/src/main/resources/openapi-specs/eth1 of github.com/Consensys/web3signer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from coincurve import PrivateKey

from chains.evm.codec import keccak


class Web3Signer:
    """`status` and `body` answer every signature, where set; `asked` has the data of each; `prefix`
    stands before what is hashed, as with services that sign texts (EIP-191)."""

    def __init__(self, *keys: str) -> None:
        self.keys: dict[str, PrivateKey] = {}
        self.status = 200
        self.body: str | None = None
        self.prefix = b""
        self.asked: list[bytes] = []
        self.url = ""
        for key in keys:
            self.add(key)

    def add(self, key: str) -> None:
        private = PrivateKey.from_hex(key)
        self.keys["0x" + private.public_key.format(compressed=False)[1:].hex()] = private

    async def public_keys(self, request: web.Request) -> web.Response:
        if self.status != 200:
            return web.Response(status=self.status)
        return web.json_response(list(self.keys))

    async def sign(self, request: web.Request) -> web.Response:
        key = self.keys.get(request.match_info["identifier"])
        if key is None:
            return web.Response(status=404, text="Public Key not found")
        wire = await request.json()
        if not isinstance(wire, dict) or not str(wire.get("data", "")).startswith("0x"):
            return web.Response(status=400, text="Bad request format")
        data = bytes.fromhex(wire["data"][2:])
        self.asked.append(data)
        if self.status != 200:
            return web.Response(status=self.status)
        if self.body is not None:
            return web.Response(text=self.body)
        signature = key.sign_recoverable(keccak(self.prefix + data), hasher=None)
        made = signature[:64] + bytes([signature[64] + 27])
        return web.Response(text="0x" + made.hex(), content_type="text/plain", charset="utf-8")


@asynccontextmanager
async def web3signer(*keys: str) -> AsyncIterator[Web3Signer]:
    """On loopback, for as long as the test lasts."""
    signer = Web3Signer(*keys)
    app = web.Application()
    app.router.add_get("/api/v1/eth1/publicKeys", signer.public_keys)
    app.router.add_post("/api/v1/eth1/sign/{identifier}", signer.sign)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    signer.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield signer
    finally:
        await runner.cleanup()
