"""What a limit, a halt or a lease concerns: empty fields mean all."""

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Scope:
    """`token_root` is the bot's: the root of its tokens."""

    venue: str = ""
    account: str = ""
    instrument: str = ""
    token_root: str = ""

    def covers(
        self, venue: str = "", account: str = "", instrument: str = "", token_root: str = ""
    ) -> bool:
        """Whether something is within it. What has no instrument (a transfer, say) is within a
        scope that names one of another thing only by its other fields."""
        return (
            self.venue in ("", venue)
            and self.account in ("", account)
            and self.instrument in ("", instrument)
            and self.token_root in ("", token_root)
        )

    def __str__(self) -> str:
        named = [f"{one.name} {getattr(self, one.name)}" for one in fields(self)]
        return ", ".join(text for text in named if not text.endswith(" ")) or "all"
