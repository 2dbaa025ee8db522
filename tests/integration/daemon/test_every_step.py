"""A real daemon, killed with SIGKILL at steps of orders, cancels, replacements, transfers, swaps.

A part of the crash proof, for lack of time: `make crash` takes every step, and hundreds at random
(tests/crash/README.md).
"""

import asyncio
from pathlib import Path
from random import Random

import pytest

from chains.localnet import packages
from tests.crash.plan import every_step
from tests.crash.run import run
from tests.crash.scenes import SCENES
from tests.crash.trial import Record
from tests.crash.victims import Nursery, nursery

SETTLE = 1.0  # seconds that the exchange is said to need
STRIDES = {"exchange": 4, "paper": 4, "evm": 7, "solana": 5}


@pytest.mark.timeout(600)  # for machines that are ten times slower
@pytest.mark.evm
@pytest.mark.solana
async def test_one_effect_and_a_known_outcome_wherever_it_is_killed(tmp_path: Path) -> None:
    left_out = {"evm"} if isinstance(packages.find(), packages.LeftOut) else set()
    async with nursery() as children:
        found = await asyncio.gather(
            *(killed(children, name, tmp_path) for name in STRIDES if name not in left_out)
        )
    for records in found:
        assert not [one for one in records if one.problem]
        kinds = SCENES[records[0].scene].kinds
        assert {one.kind for one in records} == set(kinds)
        assert sum(one.kills for one in records) >= len(kinds), "too few for this to say anything"


async def killed(children: Nursery, name: str, directory: Path) -> list[Record]:
    """A scene's records."""
    setting = SCENES[name]
    plan = every_step(setting.kinds, setting.in_flight, STRIDES[name])
    return [
        record
        async for record in run(
            lambda path: setting.open(children, path, SETTLE), directory / name, plan, Random(1)
        )
    ]
