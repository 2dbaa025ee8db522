"""Pages of lists: a token names the last item of the page before, and the list that it is of."""

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from typing import TypeVar

from core.errors import Reason, Refused

DEFAULT_PAGE = 100
MAX_PAGE = 1000

Item = TypeVar("Item")


def page_size(asked: int) -> int:
    """How many items a page has: what was asked for, within bounds."""
    return min(asked or DEFAULT_PAGE, MAX_PAGE)


def encode_token(scope: str, position: str) -> str:
    """A page token; `scope` says which list (and which filter) it belongs to."""
    raw = _tag(scope) + position.encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode_token(scope: str, token: str) -> str:
    """The position in a page token, "" for the first page; Refused unless it is from this list."""
    if not token:
        return ""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        position = raw[8:].decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raw, position = b"", ""
    if not position or raw[:8] != _tag(scope):
        raise Refused(
            Reason.PAGE_TOKEN_INVALID, "page_token is not from this list: start again without it"
        )
    return position


def paginate(
    items: Sequence[Item], key: Callable[[Item], str], scope: str, size: int, token: str
) -> tuple[list[Item], str]:
    """One page of items sorted by `key`, and the token of the next page."""
    after = decode_token(scope, token)
    ordered = sorted((item for item in items if not after or key(item) > after), key=key)
    page = ordered[: page_size(size)]
    more = len(ordered) > len(page)
    return page, encode_token(scope, key(page[-1])) if more else ""


def _tag(scope: str) -> bytes:
    return hashlib.blake2b(scope.encode(), digest_size=8).digest()
