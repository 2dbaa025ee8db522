"""How a node's failures are drawn, and what a broadcast's answers prove."""

import pytest

from chains.evm.broadcast import Verdict, outcome, verdict
from chains.nodes import Node, NodeError, NodeTrouble
from core.clock import SECOND
from core.errors import Reason

HASH = "0x" + "ab" * 32


@pytest.mark.parametrize(
    ("code", "text", "data", "trouble"),
    [
        (-32005, "limit exceeded", None, True),
        (-32601, "the method eth_feeHistory does not exist/is not available", None, True),
        (-32603, "internal error", None, True),
        (-32000, "header not found", None, True),
        (-32000, "missing trie node abc", None, True),
        (429, "daily request count exceeded", None, True),
        (-32000, "your rate limit is reached", None, True),
        (3, "execution reverted", "0x", False),
        (-32000, "execution reverted", None, False),
        (-32000, "insufficient funds for gas * price + value", None, False),
        (-32000, "nonce too low", None, False),
        (-32603, "EVM error InvalidFEOpcode", None, False),
        (-32602, "invalid params", None, False),
    ],
)
def test_errors_of_the_node_and_errors_of_the_request(
    code: int, text: str, data: object, trouble: bool
) -> None:
    error = NodeError(code, text, data)
    assert error.is_node_trouble is trouble
    assert error.reason is Reason.NODE_UNAVAILABLE
    assert error.metadata["node_message"] == text


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (HASH, Verdict.ACCEPTED),
        ("0xabc", Verdict.LOOK),
        (None, Verdict.LOOK),
        (NodeError(-32000, "already known"), Verdict.ACCEPTED),
        (
            NodeError(-32010, "Transaction with the same hash was already imported."),
            Verdict.ACCEPTED,
        ),
        (NodeError(-32000, "nonce too low: next nonce 5, tx nonce 4"), Verdict.LOOK),
        (NodeError(-32000, "replacement transaction underpriced"), Verdict.LOOK),
        (NodeError(-32000, "transaction underpriced"), Verdict.LOOK),
        (NodeError(-32000, "max fee per gas less than block base fee"), Verdict.LOOK),
        (NodeError(-32000, "something new"), Verdict.LOOK),
        (NodeError(-32000, "insufficient funds for gas * price + value"), Verdict.REFUSED),
        (NodeError(-32000, "intrinsic gas too low"), Verdict.REFUSED),
        (NodeError(-32000, "exceeds block gas limit"), Verdict.REFUSED),
        (NodeError(-32000, "invalid sender"), Verdict.REFUSED),
        (NodeError(-32005, "limit exceeded"), Verdict.SILENT),
        (NodeTrouble("no answer in 5 s"), Verdict.SILENT),
    ],
)
def test_verdicts(answer: object, expected: Verdict) -> None:
    assert verdict(answer) is expected


POOR = NodeError(-32000, "insufficient funds for gas * price + value")
LOW = NodeError(-32000, "nonce too low")
DOWN = NodeTrouble("no answer")


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([HASH], Verdict.ACCEPTED),
        ([POOR, HASH, DOWN], Verdict.ACCEPTED),
        ([POOR], Verdict.REFUSED),
        ([POOR, POOR], Verdict.REFUSED),
        ([POOR, DOWN], Verdict.LOOK),  # the silent one may have it
        ([POOR, LOW], Verdict.LOOK),
        ([LOW], Verdict.LOOK),
        ([DOWN, DOWN], Verdict.SILENT),
        ([], Verdict.SILENT),
    ],
)
def test_only_a_refusal_by_all_is_a_refusal(answers: list[object], expected: Verdict) -> None:
    assert outcome(answers).verdict is expected


def test_a_node_that_keeps_failing_is_left_alone_longer_up_to_a_limit() -> None:
    node = Node("https://example.test/v3/key")
    assert node.label == "example.test"
    pauses = []
    for _ in range(12):
        node.failed(NodeTrouble("down"), 0)
        pauses.append(node.paused_until)
    assert pauses == sorted(pauses)
    assert pauses[0] == SECOND // 4
    assert pauses[-1] == 30 * SECOND
    node.succeeded()
    assert (node.failures, node.paused_until, node.trouble) == (0, 0, "")
    node.failed(NodeTrouble("busy", pause=60 * SECOND), 5)
    assert node.throttled
    assert node.paused_until == 60 * SECOND + 5
