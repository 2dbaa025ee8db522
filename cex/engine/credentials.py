"""The secrets of one account at one exchange."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What a venue gave its customer; never shown, not even in a representation.

    `secret` is an HMAC key, or a private key in PEM where the venue takes asymmetric keys.
    `passphrase` and `user` are what some venues ask for besides.
    """

    api_key: str
    secret: str
    passphrase: str = ""
    user: str = ""

    def __repr__(self) -> str:
        return "Credentials(…)"

    def redact(self, text: str) -> str:
        """A text of the venue without our secrets, should it have repeated them."""
        for value in (self.api_key, self.secret, self.passphrase):
            if len(value) > 3:
                text = text.replace(value, "…")
        return text
