"""What may be sent at all, whoever asks: limits, halts, leases."""

from daemon.risk.desk import RiskDesk

__all__ = ["RiskDesk"]
