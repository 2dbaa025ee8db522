"""TLS for HTTP/2, with certificates that are renewed while the server runs.

https://www.rfc-editor.org/rfc/rfc9113#section-9.2
"""

import ssl
from collections.abc import Callable

import structlog

# With TLS 1.2 only what HTTP/2 does not forbid; 1.3 has nothing else.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"

log = structlog.get_logger("wire")


def tls_context(load: Callable[[ssl.SSLContext], None], due: Callable[[], bool]) -> ssl.SSLContext:
    """For TLS with HTTP/2. `load` puts certificate and key into a context; when they are `due`, the
    next handshake gets a new one."""

    def made() -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(_CIPHERS)
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(["h2"])
        load(context)
        return context

    current = made()

    def chosen(encrypted: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        nonlocal current
        try:
            if due():
                current = made()
        except Exception:  # the old one is good for a while
            log.exception("the certificate could not be renewed")
        encrypted.context = current

    first = current
    first.sni_callback = chosen  # called for clients that name nobody as well
    return first
