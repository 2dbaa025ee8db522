"""Secrets come by prompt, file or standard input; never as an argument, which others see."""

import sys
from pathlib import Path

import typer

from daemon.cli.speech import UsageError


def secret(what: str, file: Path | None, repeat: bool = False, option: str = "--file") -> str:
    """Asks for a secret without showing it, or reads it (without its line end); `option` is the one
    that names the file."""
    if file is None:
        if not sys.stdin.isatty():
            raise UsageError(
                f"nobody can be asked here: use {option} FILE, or {option} - for standard input"
            )
        answer: str = typer.prompt(what, hide_input=True, confirmation_prompt=repeat, err=True)
        return answer
    return (sys.stdin.read() if str(file) == "-" else read(file)).rstrip("\r\n")


def read(file: Path) -> str:
    """A file's text; its content is never part of the error."""
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"{file} cannot be read") from None
