"""Carries a plan out on a scene, and goes on with a new scene where a promise was broken."""

import asyncio
import time
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from random import Random

from daemon.journal.verify import verify
from tests.crash.plan import Plan, Planned
from tests.crash.trial import HOW, Record, Scene, trial

Opening = Callable[[Path], AbstractAsyncContextManager[Scene]]


async def run(
    opening: Opening, directory: Path, plan: Plan, random: Random
) -> AsyncIterator[Record]:
    """The records as they come. AssertionError when in the end the daemon's word differs from the
    world's."""
    planned, number = next(plan, None), 0
    while planned is not None:
        number += 1
        async with opening(directory / str(number)) as scene:
            broken = False
            while planned is not None and not broken:
                record = await _one(scene, planned, random)
                yield record
                broken = bool(record.problem)
                planned = _next(plan, not record.kills)
            if not broken:
                await scene.audit()
                journal = scene.victim.data_dir / "journal.sqlite"
                assert not (await asyncio.to_thread(verify, journal)).faults


def _next(plan: Plan, survived: bool) -> Planned | None:
    try:
        return plan.send(survived)
    except StopIteration:
        return None


async def _one(scene: Scene, planned: Planned, random: Random) -> Record:
    began = time.monotonic()
    try:
        return await trial(scene, planned.kind, planned.deaths, planned.silent, random)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told, and the others go on
        traceback.print_exc()
        return Record(
            scene.name,
            planned.kind,
            HOW[type(planned.deaths[0])],
            scene.victim.last_step,
            len(planned.deaths),
            planned.silent,
            "",
            0,
            time.monotonic() - began,
            f"{planned} in {scene.victim.data_dir}: {type(error).__name__}: {error}",
        )
