"""The sample configuration, written from the settings themselves: it cannot be out of date."""

import json

from pydantic import BaseModel

from daemon.config.model import AccountSettings, Settings

_HEADER = """\
# The configuration of cambistd. Every line shows its default: change what you need, delete
# the rest.
# Check it with: cambistd config check
"""

_ACCOUNT = """\
# Accounts on exchanges; one table each.
#
# [[accounts]]
{fields}
"""


def sample_text() -> str:
    """A commented TOML file that means exactly the defaults."""
    settings = Settings()
    parts = [_HEADER]
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            parts.append(_table(name, value, comments=True))
        elif isinstance(value, dict):
            first = True
            for key, section in value.items():
                parts.append(_table(f"{name}.{key}", section, comments=first))
                first = False
    parts.append(_ACCOUNT.format(fields=_account_fields()))
    return "\n".join(parts)


def _table(name: str, section: BaseModel, comments: bool) -> str:
    lines = []
    if comments and section.__doc__:
        lines.append(f"# {section.__doc__.strip()}")
    lines.append(f"[{name}]")
    for key, field in type(section).model_fields.items():
        if comments and field.description:
            lines.append(f"# {field.description}")
        lines.append(f"{key} = {_toml(getattr(section, key))}")
    return "\n".join(lines) + "\n"


def _account_fields() -> str:
    example = {
        "id": "main",
        "venue": "binance",
        "paper": False,
        "balances": {},
        "credentials_file": "binance-main.toml",
    }
    lines = []
    for key, field in AccountSettings.model_fields.items():
        lines.append(f"# # {field.description}")
        lines.append(f"# {key} = {_toml(example[key])}")
    return "\n".join(lines)


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(value)  # the same syntax for strings, booleans, integers and lists of them
