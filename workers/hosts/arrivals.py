"""When the release that runs came to a host, by what the host says of its link and its process. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.facts import Arrival

if TYPE_CHECKING:
    from workers.hosts.reports import Report

_ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "i686": "386",
    "armv7l": "arm",
    "ppc64le": "ppc64le",
    "riscv64": "riscv64",
    "s390x": "s390x",
}
"""The kernel's word for a machine, and Go's. Others are called as the kernel calls them."""


def arrived(report: Report, clock_off_ms: int) -> Arrival | None:
    """Return when the release came, by our clock; None where the host has no link.

    It came after its link was made. It was there once the link stood in its place, and where a process was
    started since, once that was: a process that crashes is started again and again under the same release, so the
    start that can be seen is the latest that it may have come, and not the moment itself.
    """
    if report.link is None:
        return None
    made = report.link.made_ms
    by = made if report.changed_ms is None else max(report.changed_ms, made)
    started = _started_ms(report)
    if started is not None and started > made:
        by = max(by, started)
    return Arrival(by - clock_off_ms, made - clock_off_ms)


def clock_off_ms(host_ms: int | None, asked_ms: int, answered_ms: int) -> int:
    """Return how far a host's clock is ahead of ours, at least: what the way there explains is no difference."""
    if host_ms is None or asked_ms <= host_ms <= answered_ms:
        return 0
    return host_ms - (asked_ms if host_ms < asked_ms else answered_ms)


def platform_of(kernel: str) -> str:
    """Return `GOOS/GOARCH` for what `uname -s -m` says; empty where it says nothing."""
    system, _, machine = kernel.partition(" ")
    return f"{system.lower()}/{_ARCHITECTURES.get(machine, machine)}" if system and machine else ""


def _started_ms(report: Report) -> int | None:
    if report.unit is None or report.now_ms is None or report.uptime_s is None:
        return None
    started_s = report.unit.started_s
    if started_s is None:
        return None
    return report.now_ms - round((report.uptime_s - started_s) * 1000)
