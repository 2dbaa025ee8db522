"""A cambistd with bugs: what handles secrets raises, and quotes them in what it raises.

python -m tests.support.daemon_failing run …; as cambistd itself, but while there is a file `fail`
in the home.
"""

import functools
from collections.abc import Callable
from typing import Any

from chains.wallets.store import WalletStore
from daemon.access.tokens import Keyring
from daemon.accounts.keys import AccountKeys
from daemon.cli import cambistd
from daemon.config.model import home

FAIL = "fail"
BUGS = (
    (WalletStore, "import_key"),
    (WalletStore, "import_mnemonic"),
    (WalletStore, "import_keystore"),
    (WalletStore, "unlock"),
    (AccountKeys, "save"),
    (Keyring, "inspect"),
)


def failing(real: Callable[..., Any]) -> Callable[..., Any]:
    """The same, until it is told to fail."""

    @functools.wraps(real)
    def method(*arguments: Any, **named: Any) -> Any:
        if (home() / FAIL).exists():
            quoted = arguments[1:]  # a local with the secret, too
            raise RuntimeError(f"a bug that quotes {quoted} and {named}")
        return real(*arguments, **named)

    return method


if __name__ == "__main__":
    for owner, name in BUGS:
        setattr(owner, name, failing(getattr(owner, name)))
    cambistd.main()
