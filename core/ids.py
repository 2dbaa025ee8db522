"""Client order ids that follow from the request, and are valid under each venue's rules."""

import base64
import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClientIdRule:
    """What a venue accepts as a client order id.

    `length` counts the whole id, prefix included. Letters are upper-case base32 without padding,
    so that an id survives venues that ignore case; `numeric` ids are decimal digits below
    2 ** bits.
    """

    length: int = 26
    prefix: str = ""
    numeric_bits: int = 0
    hexadecimal: bool = False


def client_order_id(scope: str, request_id: str, rule: ClientIdRule, attempt: int = 0) -> str:
    """The same id for the same intent, before and after a crash.

    `scope` (the daemon's own random identity) keeps two daemons on one venue account apart;
    `attempt` numbers the orders of one intent where a venue replaces an order by a new one.
    """
    seed = f"{scope}\x00{request_id}\x00{attempt}".encode()
    digest = hashlib.sha256(seed).digest()
    if rule.numeric_bits:
        return rule.prefix + str(int.from_bytes(digest, "big") >> (256 - rule.numeric_bits))
    body = digest.hex() if rule.hexadecimal else base64.b32encode(digest).decode().rstrip("=")
    return (rule.prefix + body)[: rule.length]
