"""`cambistd`: runs the daemon and looks after its configuration."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from daemon.cli import journal

if TYPE_CHECKING:
    from daemon.config.model import Settings


class ProfileName(StrEnum):
    """What the daemon is for."""

    SANDBOX = "sandbox"
    LIVE = "live"


class LevelName(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


app = typer.Typer(
    name="cambistd",
    help="The daemon beside your wallets and API keys. Try: cambistd run --profile sandbox",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
config = typer.Typer(help="The configuration file.", no_args_is_help=True)
app.add_typer(config, name="config")
app.add_typer(journal.app, name="journal")

ConfigPath = Annotated[
    Path | None,
    typer.Argument(metavar="[PATH]", help="The file.", show_default="~/.cambist/cambist.toml"),
]


@app.command()
def run(
    profile: Annotated[
        ProfileName, typer.Option(help="sandbox: pretended money, local chains; live: real venues.")
    ] = ProfileName.LIVE,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Settings.", show_default="live: ~/.cambist/cambist.toml"
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Journal and wallets.", show_default="~/.cambist/PROFILE"),
    ] = None,
    tcp: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT|off", help="Loopback port.", show_default="127.0.0.1:7177"),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Sandbox: the seed of the simulated market.")
    ] = None,
    log_level: Annotated[LevelName | None, typer.Option(help="How much is logged.")] = None,
    passphrase_fd: Annotated[
        int | None,
        typer.Option(min=0, help="Unlock with what can be read from this file descriptor."),
    ] = None,
) -> None:
    """Run the daemon until it is told to stop (Ctrl-C, SIGTERM, 'cambist stop')."""
    from daemon.app import RunOptions
    from daemon.app import run as run_daemon
    from daemon.config import ConfigError

    options = RunOptions(
        profile=profile.value,
        config_path=config,
        data_dir=data_dir,
        tcp=tcp,
        seed=seed,
        log_level=log_level and log_level.value,
        passphrase_fd=passphrase_fd,
    )
    try:
        run_daemon(options)
    except ConfigError as error:
        _fail(str(error))


@config.command("init")
def init(
    path: ConfigPath = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a commented sample that means exactly the defaults; - writes it to the terminal."""
    from daemon.config.sample import sample_text

    if str(path) == "-":
        print(sample_text(), end="")
        return
    target = path or default_path()
    if target.exists() and not force:
        _fail(f"{target} is there already: --force replaces it")
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        target.write_text(sample_text())
    except OSError as error:
        _fail(f"{target} cannot be written: {error.strerror}")
    print(f"wrote {target}")
    print(f"check your changes with: cambistd config check {target}")


@config.command("check")
def check(path: ConfigPath = None) -> None:
    """Read the file and name every mistake in it."""
    settings = settings_of(path or default_path())
    from daemon.config import ConfigError
    from daemon.listeners import check_tcp
    from daemon.profiles.live import check as check_live

    try:
        if settings.server.tcp != "off":
            check_tcp(settings.server.tcp, plaintext=settings.server.security == "none")
        check_live(settings)
    except ConfigError as error:
        _fail(str(error))
    print(f"{path or default_path()} is good")


@config.command("show")
def show(
    path: ConfigPath = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """What is in force: the defaults, and the file's changes where there is one."""
    import json

    chosen = path or _existing(default_path())
    settings = settings_of(chosen)
    changed = settings.model_dump(mode="json")
    if as_json:
        print(json.dumps(changed, indent=2))
        return
    print(f"# {chosen or 'no file: the defaults'}")
    for line in _lines(changed):
        print(line)


@app.command("version")
def version() -> None:
    """The version of the daemon and of its contract."""
    from daemon.version import VERSION

    print(f"cambistd {VERSION}, contract cambist.v1")


def default_path() -> Path:
    """Where the configuration is unless it is said."""
    from daemon.config.model import home

    return home() / "cambist.toml"


def _existing(path: Path) -> Path | None:
    return path if path.exists() else None


def settings_of(path: Path | None) -> "Settings":
    """The settings; ends the command with the file's mistakes."""
    from daemon.config.load import ConfigError, load

    try:
        return load(path)
    except ConfigError as error:
        _fail(str(error))


def _lines(values: dict[str, object], path: str = "") -> list[str]:
    lines = []
    for key, value in values.items():
        name = f"{path}.{key}" if path else key
        if isinstance(value, dict):
            lines += _lines(value, name)
        else:
            lines.append(f"{name} = {value!r}")
    return lines


def _fail(message: str) -> NoReturn:
    typer.secho("error: ", fg="red", err=True, nl=False)
    typer.echo(message, err=True)
    raise typer.Exit(1)


def main() -> None:
    """The entry point."""
    app()


if __name__ == "__main__":
    main()
