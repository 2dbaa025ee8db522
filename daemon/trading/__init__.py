"""The desk: orders of all accounts, from the intent to the last fill."""

from daemon.trading.desk import Desk
from daemon.trading.settings import DeskSettings
from daemon.trading.state import OrderState

__all__ = ["Desk", "DeskSettings", "OrderState"]
