"""What several nodes say together: an answer counts when enough of them say it alike. Pure."""

from collections.abc import Sequence

import msgspec

from chains.nodes import Answer, NodeError

_ENCODE = msgspec.json.Encoder(order="sorted")


class Disagreement(NodeError):
    """Nodes do not agree, or too few know; asking again helps when one of them lags."""

    def __init__(self, votes: int, quorum: int) -> None:
        super().__init__(0, f"at most {votes} nodes say the same, and {quorum} must")


def elect(answers: Sequence[Answer], quorum: int) -> Answer:
    """The answer that at least `quorum` nodes gave, or the Disagreement. Nodes word their errors
    differently: a refusal counts by its data, or as just a refusal."""
    votes: dict[bytes, list[Answer]] = {}
    for answer in answers:
        key = (
            b"error" + _ENCODE.encode(str(answer.data or ""))
            if isinstance(answer, NodeError)
            else _ENCODE.encode(answer)
        )
        votes.setdefault(key, []).append(answer)
    most = max(votes.values(), key=len, default=[])
    return most[0] if len(most) >= quorum else Disagreement(len(most), quorum)
