"""Where a page of a list ended, as text that a page token can carry."""

import json

from core.errors import Reason, Refused
from daemon.journal.store import Cursor


class Position:
    """A cursor as text and back."""

    @staticmethod
    def text(cursor: Cursor) -> str:
        """The text of a cursor."""
        return json.dumps(cursor, separators=(",", ":"))

    @staticmethod
    def parse(text: str) -> Cursor | None:
        """The cursor again, None for the first page (""); PAGE_TOKEN_INVALID for anything else."""
        if not text:
            return None
        try:
            match json.loads(text):
                case [int(time), str(first), str(second), str(third)]:
                    return time, first, second, third
        except (ValueError, RecursionError):
            pass
        raise Refused(
            Reason.PAGE_TOKEN_INVALID, "page_token is not from this list: start again without it"
        )
