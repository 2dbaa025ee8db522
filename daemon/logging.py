"""Structured logs on standard error, without secrets."""

import logging
import sys
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
    "token_text",
    "credentials",
)


def configure(level: str, style: str) -> None:
    """Sets up logging for the process: `style` is "console" or "json"."""
    number = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(level=max(number, logging.WARNING), stream=sys.stderr, format="%(message)s")
    # grpc logs whole stack traces of handler errors that are already answered and logged.
    logging.getLogger("grpc").setLevel(logging.CRITICAL)
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redact,
            # Tracebacks without the values of variables: those may be secrets.
            structlog.processors.format_exc_info
            if style == "json"
            else structlog.dev.set_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def redact(logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Replaces values under secret-sounding keys; a structlog processor."""
    for key in event:
        if any(word in key.lower() for word in _SECRET_WORDS):
            event[key] = "[redacted]"
    return event
