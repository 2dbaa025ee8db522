"""The base of the enums."""

from enum import Enum
from typing import Self


class WireEnum(Enum):
    """A value of the contract. A number that this client does not know yet becomes `UNKNOWN`.

    The numbers are those of the wire. `str()` gives the name as the command line writes it:
    `str(Side.BUY) == "buy"`.
    """

    def __str__(self) -> str:
        return self.name.lower()

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return cls["UNKNOWN"] if isinstance(value, int) else None
