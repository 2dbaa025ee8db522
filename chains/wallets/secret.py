"""A holder that keeps a secret out of reprs, logs and tracebacks that print local variables."""

from typing import Final


class Secret:
    """Bytes that show themselves only to who calls `reveal`. Not hashable, comparable or picklable:
    none of these has a use for a key, and each has leaked one somewhere."""

    __slots__ = ("_value",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: bytes) -> None:
        self._value: Final = value

    @classmethod
    def of_text(cls, text: str) -> "Secret":
        """Some text in UTF-8. An encoding error would quote the text: there is none."""
        return cls(text.encode(errors="replace"))

    def reveal(self) -> bytes:
        """The bytes; keep them in no variable longer than the call that needs them."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        raise TypeError("secrets are not compared")

    def __reduce__(self) -> str:
        raise TypeError("secrets are not pickled")
