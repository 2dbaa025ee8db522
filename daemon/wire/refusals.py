"""What HTTP says to requests that are no calls of gRPC, so that a person reads why."""

from daemon.wire import headers as h
from daemon.wire.call import Call
from daemon.wire.sending import Sending

NO_GRPC_BYTES = 65_536  # of a body that nobody reads
_KIND = "application/grpc"
_KINDS = (f"{_KIND}+", f"{_KIND};")
_TEXT = b"This is a gRPC server: calls are POST requests of application/grpc by HTTP/2.\n"
_METHOD_NOT_ALLOWED, _UNSUPPORTED_MEDIA_TYPE = 405, 415

HTTP_1 = (
    b"HTTP/1.1 505 HTTP Version Not Supported\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: %d\r\n"
    b"Connection: close\r\n\r\n%s"
)


def refusal(request: h.Request) -> int:
    """The status of HTTP for what is no call; 0 for a call.

    https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests
    """
    if request.method != "POST":
        return _METHOD_NOT_ALLOWED
    kind = request.content_type
    return 0 if kind == _KIND or kind.startswith(_KINDS) else _UNSUPPORTED_MEDIA_TYPE


def refuse(sending: Sending, call: Call) -> None:
    """Answers what is no call."""
    sending.data(call, _TEXT, h.refused_by_http(call.refusal, len(_TEXT)))
    sending.end(call, b"")


def in_http_1(words: str) -> bytes:
    """For who speaks HTTP/1."""
    text = words.encode() + b"\n"
    return HTTP_1 % (len(text), text)
