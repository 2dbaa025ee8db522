"""The machine and the versions that a run was measured with."""

import os
import platform
import sys
from importlib import metadata
from pathlib import Path

import psutil

_PACKAGES = ("ccxt", "aiohttp", "grpcio", "protobuf", "msgspec", "picows", "uvloop")


def describe() -> dict[str, str]:
    """Facts by name, for the table's foot and for bench/README.md."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = psutil.virtual_memory().total / 2**30
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    facts = {
        "cores": str(cores),
        "cpu": _cpu(),
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load before": f"{load} (1, 5, 15 min)",
    }
    for package in _PACKAGES:
        facts[package] = metadata.version(package)
    return facts


def _cpu() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
