"""The scenes by name."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.crash import exchange_scene, sandbox_scene
from tests.crash.victims import Nursery


@dataclass(frozen=True, slots=True)
class Setting:
    """How a scene is opened, and what can be asked for in it."""

    open: Callable[[Nursery, Path, float], AbstractAsyncContextManager[Any]]
    kinds: tuple[str, ...]
    in_flight: bool = False


SCENES = {
    "exchange": Setting(
        exchange_scene.exchange,
        ("order", "cancel", "replace (new order)", "replace (in place)"),
        in_flight=True,
    ),
    "paper": Setting(
        lambda nursery, path, _: sandbox_scene.paper(nursery, path),
        ("order", "market order", "cancel", "replace"),
    ),
    "evm": Setting(
        lambda nursery, path, _: sandbox_scene.evm(nursery, path),
        (
            "transfer",
            "swap",
            "swap (quoted before)",
            "swap (of a token)",
            "order on a pool",
            "speed-up",
            "cancel of a transfer",
        ),
    ),
    "solana": Setting(
        lambda nursery, path, _: sandbox_scene.solana(nursery, path), ("transfer (Solana)",)
    ),
}
