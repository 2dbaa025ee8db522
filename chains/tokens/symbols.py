"""What a symbol means among the tokens of a network. Pure."""

from collections.abc import Iterable

from core.errors import Reason, Refused
from core.ports import NetworkInfo
from core.tokens import Token

NATIVE = "native"  # names the native coin where its symbol is shared


def by_symbol(text: str, tokens: Iterable[Token], info: NetworkInfo) -> Token:
    """The only token with a symbol; in this spelling if there is one, else in any case. "native" is
    the native coin. Refused with TOKEN_NOT_FOUND, or TOKEN_AMBIGUOUS with the candidates."""
    if text == NATIVE:
        return info.native
    listed = {token.address: token for token in (info.native, *tokens)}.values()
    found = [token for token in listed if token.symbol == text]
    if not found:
        wanted = text.casefold()
        found = [token for token in listed if token.symbol.casefold() == wanted]
    if not found:
        raise unknown(text, info)
    if len(found) > 1:
        raise _ambiguous(text, found, info)
    return found[0]


def unknown(text: str, info: NetworkInfo) -> Refused:
    """TOKEN_NOT_FOUND."""
    return Refused(
        Reason.TOKEN_NOT_FOUND,
        f"{info.name} lists no token {text[:80]!r}; name its address, or add it",
        {"token": text[:80], "network": info.id},
    )


def _ambiguous(text: str, found: list[Token], info: NetworkInfo) -> Refused:
    names = [token.address or NATIVE for token in found]
    words = (
        f"{name} ({token.name or token.symbol})" for name, token in zip(names, found, strict=True)
    )
    return Refused(
        Reason.TOKEN_AMBIGUOUS,
        f"{text[:80]} means {len(found)} tokens of {info.name}: {', '.join(words)}; name one of"
        " these instead",
        {"token": text[:80], "network": info.id, "candidates": ",".join(names)},
    )
