"""Structured logs on standard error, without secrets."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

# Keys whose values never reach a log, whatever they hold; the last line of defence, since no code
# passes secrets to the log in the first place.
_SECRET_WORDS = (
    "secret",
    "passphrase",
    "password",
    "private",
    "mnemonic",
    "api_key",
    "signature",
    "credentials",
)


def configure(level: str, style: str) -> None:
    """Sets up logging for the process: `style` is "console" or "json"."""
    number = logging.getLevelNamesMapping()[level.upper()]
    as_json = style == "json"
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redact,
            # Tracebacks without the values of variables: those may be secrets.
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer()
            if as_json
            else structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=number, handlers=[_Forward()], force=True)
    # Libraries speak up when something is wrong; what they do all day is not for our log.
    for library in ("asyncio", "aiohttp", "hpack", "picows", "urllib3"):
        logging.getLogger(library).setLevel(logging.WARNING)


def redact(
    logger: object, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Replaces values under secret-sounding keys; a structlog processor."""
    for key in event:
        if any(word in key.lower() for word in _SECRET_WORDS):
            event[key] = "[redacted]"
    return event


class _Forward(logging.Handler):
    """Hands what libraries log with the standard module to the same log."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger(record.name).log(
            record.levelno, record.getMessage(), exc_info=record.exc_info
        )
