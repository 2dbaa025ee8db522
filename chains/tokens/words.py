"""Names that strangers gave their tokens, made fit to be shown beside those of others. Pure."""

_SYMBOL, _NAME = 32, 64  # letters at most


def plain_symbol(text: str) -> str:
    """A symbol without what cannot be seen (control characters, marks that turn the direction of
    writing, joiners, odd spaces): "USDC" with such a mark is "USDC", and so means two tokens."""
    return _plain(text)[:_SYMBOL]


def plain_name(text: str) -> str:
    """A name, likewise."""
    return _plain(text)[:_NAME]


def _plain(text: str) -> str:
    seen = "".join(letter if letter.isprintable() else " " * letter.isspace() for letter in text)
    return " ".join(seen.split())
