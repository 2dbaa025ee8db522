"""The local venue and the daemon, in processes of their own."""

import contextlib
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from bench.child import Child, start, worker

VENUE = "binance"
INSTRUMENT = "NKN-USDT"  # ccxt spells it with a slash
_NETWORKS = ("ethereum", "avalanche")  # on by default, and outside of this machine


@dataclass(frozen=True, slots=True)
class LocalVenue:
    """A running local venue: where it is, and where its frames are from."""

    rest: str
    stream: str
    source: str
    child: Child

    async def pace(self, rate: int) -> None:
        """Frames a second from now on; zero: as fast as the sockets take them."""
        await self.child.say(str(rate))


@contextlib.asynccontextmanager
async def running_venue(folder: Path) -> AsyncIterator[LocalVenue]:
    """A local venue, ended on leaving."""
    async with worker("venue", folder=folder) as child:
        said = await child.answer()
        yield LocalVenue(said["rest"], said["stream"], said["source"], child)


@contextlib.asynccontextmanager
async def running_daemon(profile: str, *arguments: str, folder: Path) -> AsyncIterator[Child]:
    """A daemon with its data in `folder`, ended on leaving. It may not be ready yet."""
    program = str(Path(sys.executable).parent / "cambistd")
    command = [program, "run", "--profile", profile, "--data-dir", str(folder / profile)]
    child = await start(
        "cambistd",
        [*command, "--tcp", "off", *arguments],
        folder,
        {"CAMBIST_HOME": str(folder)},  # nothing of the user's is read
    )
    try:
        yield child
    finally:
        await child.stop()


def address(profile: str, folder: Path) -> str:
    """Where clients find the daemon of `running_daemon`."""
    return f"unix://{folder / profile / 'cambist.sock'}"


def live_config(venue: LocalVenue, folder: Path, accounts: int = 0) -> Path:
    """Writes the live profile's file: the local venue instead of Binance, and some accounts."""
    lines = [
        f"[venues.{VENUE}]",
        "enabled = true",
        f"[venues.{VENUE}.hosts]",
        f'rest = "{venue.rest}"',
        f'stream = "{venue.stream}"',
        f'ws_api = "{venue.stream}"',
    ]
    for network in _NETWORKS:
        lines += [f"[networks.{network}]", "enabled = false"]
    for number in range(accounts):
        secrets = folder / f"account{number}.toml"
        secrets.touch(mode=0o600)
        secrets.write_text(f'api_key = "key{number}"\nsecret = "secret{number}"\n')
        lines += [
            "[[accounts]]",
            f'id = "{account_id(number)}"',
            f'venue = "{VENUE}"',
            f'credentials_file = "{secrets}"',
        ]
    path = folder / "cambist.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def account_id(number: int) -> str:
    """The n-th account of `live_config`."""
    return f"bench{number}"
