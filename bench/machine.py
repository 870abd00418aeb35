"""What the figures were taken on."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def describe() -> str:
    """Return cpu, cores, memory, kernel and Python of this machine, on one line."""
    cpu = _first("/proc/cpuinfo", "model name") or platform.processor() or "unknown cpu"
    memory_kb = int((_first("/proc/meminfo", "MemTotal") or "0 kB").split()[0])
    return (
        f"{cpu}, {os.cpu_count()} cores, {memory_kb / 2**20:.1f} GiB; Linux {platform.release()}; "
        f"Python {platform.python_version()}"
    )


def _first(file: str, name: str) -> str | None:
    for line in Path(file).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return None
