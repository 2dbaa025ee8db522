"""Keys that a service elsewhere holds: web3signer's eth1 API over HTTP.

    GET  /api/v1/eth1/publicKeys          ["0x…", …], 64 bytes each
    POST /api/v1/eth1/sign/{public key}   {"data": "0x…"} -> "0x…", r, s and v

The service signs the Keccak-256 of what it gets, whatever that is: given a serialized transaction
without its signature, it signs that transaction, on any chain. (Its JSON-RPC eth_signTransaction
does the same, for the one chain id of its configuration only.)

https://docs.web3signer.consensys.io/reference/api/rest, core/src/main/resources/openapi-specs/eth1
of github.com/Consensys/web3signer
"""

import json
import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chains.wallets import evm_keys
from chains.wallets.catalogue import WalletInfo
from chains.wallets.files import is_name
from core.errors import Reason, Refused

if TYPE_CHECKING:
    import aiohttp

_FAMILY = "evm"
_PUBLIC_KEY = re.compile(r"0x[0-9a-fA-F]{128}", re.ASCII)
_SIGNATURE = re.compile(r"0x[0-9a-fA-F]{130}", re.ASCII)
_MAX_ANSWER = 1 << 20
_MAX_KEYS = 1000


@dataclass(frozen=True, slots=True)
class RemoteAddress:
    """Where a remote signer is, and which of its keys have names here (wallet's name: address).
    Files are PEM; `ca_file` is who may vouch for the service, the others are our certificate."""

    name: str
    url: str
    wallets: Mapping[str, str] = field(default_factory=dict)
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""


class RemoteSigner:
    """One service. Its wallets are those that have names, and every other key that it shows, which
    is called by the signer's name and the beginning of its address."""

    def __init__(
        self,
        address: RemoteAddress,
        timeout: float = 10.0,  # float: seconds, of one request
    ) -> None:
        if not is_name(address.name) or len(address.name) > 20:
            raise ValueError(f"signer {address.name!r}: a name is 1 to 20 of a-z, 0-9, - and _")
        self.name = address.name
        self._where = address
        self._url = address.url.rstrip("/")
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None
        self._keys: dict[str, str] = {}  # address -> public key, as the service spells it
        self._names = {evm_keys.parse_address(one): name for name, one in address.wallets.items()}
        self.trouble = "not asked yet"

    def __repr__(self) -> str:
        return f"RemoteSigner({self.name!r}, {len(self._keys)} keys)"

    def wallets(self) -> list[WalletInfo]:
        """By name; those that are named in the configuration also before the service was asked."""
        known = dict.fromkeys([*self._names, *self._keys])
        return [
            WalletInfo(
                name=self._names.get(one, f"{self.name}-{one[2:10].lower()}"),
                family=_FAMILY,
                address=one,
                problem="" if one in self._keys else self.trouble,
                signer=self.name,
            )
            for one in known
        ]

    def addresses(self) -> Sequence[str]:
        """What it can sign for, as it said when it was asked last."""
        return list(self._keys)

    async def refresh(self) -> bool:
        """Asks for its keys; whether they have changed. Refused with SIGNER_UNAVAILABLE."""
        before = set(self._keys)
        try:
            status, text = await self._ask("GET", "/api/v1/eth1/publicKeys", None)
            if status != 200:
                raise self._unavailable(f"answers with HTTP status {status}")
            self._keys = self._read_keys(text)
        except Refused as error:
            self.trouble = error.message
            raise
        self.trouble = f"the signer {self.name} has no key of this address"
        return set(self._keys) != before

    async def sign_transaction(self, address: str, unsigned: bytes) -> bytes:
        """r, s and recovery id of a signature over the Keccak-256 of `unsigned`. Refused: nothing
        was signed, or what was signed did not reach us, which is the same to a chain."""
        key = self._keys.get(address)
        if key is None:
            raise Refused(
                Reason.WALLET_NOT_FOUND,
                f"the signer {self.name} has no key of {address}",
                {"signer": self.name, "address": address},
            )
        body = json.dumps({"data": "0x" + unsigned.hex()})
        status, text = await self._ask("POST", f"/api/v1/eth1/sign/{key}", body)
        if status == 404:
            raise Refused(
                Reason.WALLET_NOT_FOUND,
                f"the signer {self.name} has lost the key of {address}: see its configuration",
                {"signer": self.name, "address": address},
            )
        if status != 200:
            raise self._unavailable(f"will not sign: HTTP status {status}")
        signature = text.strip().strip('"')
        if not _SIGNATURE.fullmatch(signature):
            raise self._unavailable("answers with something else than a signature")
        return bytes.fromhex(signature[2:])

    async def sign_typed_data(self, address: str, preimage: bytes) -> bytes:
        """The same over the Keccak-256 of an EIP-712 preimage. It is the same request: the service
        hashes and signs what it gets. (Its JSON-RPC eth_signTypedData is not asked: it was known to
        sign with another prefix.) One that signs nothing but transactions refuses or signs
        something else; the caller sees which by the signature."""
        try:
            return await self.sign_transaction(address, preimage)
        except Refused as error:
            if error.reason is not Reason.SIGNER_UNAVAILABLE:
                raise
            raise Refused(
                error.reason,
                f"{error.message}; where it signs transactions only, use the exact approval",
                error.metadata,
            ) from error

    async def close(self) -> None:
        """Ends its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    # ------------------------------------------------------------------------------------------

    async def _ask(self, method: str, path: str, body: str | None) -> tuple[int, str]:
        import aiohttp  # imported late: few have a remote signer

        try:
            if self._session is None:
                connector = aiohttp.TCPConnector(ssl=self._tls(), limit=32)
                self._session = aiohttp.ClientSession(connector=connector)
            async with self._session.request(
                method,
                self._url + path,
                data=body,
                headers={"Content-Type": "application/json", "Accept": "*/*"},
                timeout=aiohttp.ClientTimeout(total=self._timeout),
                allow_redirects=False,
            ) as response:
                content = b""
                async for part in response.content.iter_any():
                    content += part
                    if len(content) > _MAX_ANSWER:
                        raise self._unavailable("answers with too much")
                return response.status, content.decode("utf-8", "replace")
        except TimeoutError as error:
            raise self._unavailable(f"does not answer within {self._timeout} s") from error
        except (aiohttp.ClientError, OSError) as error:
            # Its text may quote the url, which may hold a password.
            raise self._unavailable(f"cannot be asked ({type(error).__name__})") from None

    def _tls(self) -> ssl.SSLContext | bool:
        where = self._where
        if not where.ca_file and not where.certificate_file:
            return True
        context = ssl.create_default_context(cafile=_path(where.ca_file))
        if where.certificate_file:
            certificate = Path(where.certificate_file).expanduser()
            context.load_cert_chain(certificate, _path(where.key_file))
        return context

    def _read_keys(self, text: str) -> dict[str, str]:
        try:
            found: Any = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, list) or len(found) > _MAX_KEYS:
            raise self._unavailable("answers with something else than a list of public keys")
        if not all(isinstance(key, str) and _PUBLIC_KEY.fullmatch(key) for key in found):
            raise self._unavailable("lists a public key that is none of secp256k1's, in full")
        return {evm_keys.address_of(bytes.fromhex(key[2:])): key for key in found}

    def _unavailable(self, what: str) -> Refused:
        return Refused(
            Reason.SIGNER_UNAVAILABLE,
            f"the signer {self.name} {what}: nothing was signed",
            {"signer": self.name},
        )


def _path(text: str) -> str | None:
    return str(Path(text).expanduser()) if text else None
