"""What nodes say to a broadcast, and what it proves.

An error is rarely a rejection: "already known" and "nonce too low" often mean that the transaction
is there already. Texts: geth core/txpool/errors.go and core/error.go; other clients follow them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from chains.evm.codec import is_hash
from chains.nodes import Answer, NodeError, NodeTrouble


class Verdict(Enum):
    """One node's answer to a raw transaction."""

    ACCEPTED = 1
    LOOK = 2  # perhaps there already, perhaps not: ask the chain
    REFUSED = 3  # not valid: never entered this node's pool
    SILENT = 4  # no answer, or one about the node


_REFUSED = re.compile(
    r"insufficient funds|intrinsic gas|exceeds block gas limit|gas limit (is )?too high|"
    r"invalid chain id|invalid sender|invalid signature|oversized data|"
    r"transaction type not supported|initcode size|max priority fee .*higher than max fee|"
    r"exceeds the (transaction|configured) (gas|cap)|gas limit exceeds|max initcode",
    re.IGNORECASE,
)
_KNOWN = re.compile(r"already known|known transaction|already imported|already exists", re.I)


def verdict(answer: Answer | NodeTrouble) -> Verdict:
    """What one answer to eth_sendRawTransaction means."""
    if isinstance(answer, NodeTrouble):
        return Verdict.SILENT
    if not isinstance(answer, NodeError):
        known = isinstance(answer, str) and is_hash(answer)
        return Verdict.ACCEPTED if known else Verdict.LOOK
    if _KNOWN.search(answer.text):
        return Verdict.ACCEPTED
    if _REFUSED.search(answer.text):
        return Verdict.REFUSED
    return Verdict.SILENT if answer.is_node_trouble else Verdict.LOOK


@dataclass(frozen=True, slots=True)
class Outcome:
    """What all nodes said together."""

    verdict: Verdict
    text: str = ""


def outcome(answers: Sequence[Answer | NodeTrouble]) -> Outcome:
    """ACCEPTED if any node took it; REFUSED only if every node answered, and each refused."""
    verdicts = [verdict(answer) for answer in answers]
    if Verdict.ACCEPTED in verdicts:
        return Outcome(Verdict.ACCEPTED)
    texts = "; ".join(sorted({a.text if isinstance(a, NodeError) else str(a) for a in answers}))[
        :500
    ]
    if verdicts and all(one is Verdict.REFUSED for one in verdicts):
        return Outcome(Verdict.REFUSED, texts)
    asked = any(one in (Verdict.LOOK, Verdict.REFUSED) for one in verdicts)
    return Outcome(Verdict.LOOK if asked else Verdict.SILENT, texts)
