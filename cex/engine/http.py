"""Requests over HTTP: sends once, and says honestly what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cex.engine.spec import Request

if TYPE_CHECKING:
    # Imported for good in `open`: it takes a quarter of a second, which a daemon without exchanges
    # need not spend.
    import aiohttp

_MAX_BODY = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NotSentError(Exception):
    """The connection did not come about: the venue cannot have seen the request."""


class LostError(Exception):
    """No usable reply; the venue may have seen the request."""


class Http:
    """One pool of connections to one venue's hosts."""

    def __init__(self, hosts: Mapping[str, str], timeout: float = 10.0) -> None:  # float: aiohttp's
        """`timeout` in seconds, for a whole request."""
        self._hosts = hosts
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Makes the pool; connects nowhere yet."""
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._timeout, sock_connect=self._timeout / 2),
                connector=aiohttp.TCPConnector(limit=32, ttl_dns_cache=60),
                skip_auto_headers=("Content-Type", "Accept-Encoding"),
                headers={"User-Agent": "cambist", "Accept-Encoding": "gzip, deflate"},
                cookie_jar=aiohttp.DummyCookieJar(),
            )
            # aiohttp repeats "idempotent" requests on a connection that the server has just
            # closed. A cancel (DELETE) must leave at most once; reads are repeated by the caller.
            self._session._retry_connection = False

    async def close(self) -> None:
        """Closes all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, request: Request) -> Reply:
        """One exchange. Raises NotSentError or LostError when there is no reply."""
        import aiohttp
        from yarl import URL

        if self._session is None:
            raise NotSentError("not started")
        url = URL(self._hosts[request.host] + request.target, encoded=True)
        try:
            async with self._session.request(
                request.method,
                url,
                data=request.body or None,
                headers=request.headers,
                allow_redirects=False,
            ) as response:
                body = bytearray()
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > _MAX_BODY:
                        raise LostError(f"a reply of more than {_MAX_BODY} bytes")
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Reply(response.status, headers, bytes(body))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            # The message of aiohttp's error may hold the URL, and with it a signature.
            raise NotSentError(type(error).__name__) from None
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise LostError(type(error).__name__) from None
