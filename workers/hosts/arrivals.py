"""When the release that runs came to a host, by what the host says of its link and its process. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.facts import Arrival, Hand

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
    start that can be seen is the latest that it may have come, and not the moment itself, which only the journal
    of systemd knows.
    """
    if report.link is None:
        return None
    made = report.link.made_ms
    by = made if report.changed_ms is None else max(report.changed_ms, made)
    ago_s = started_ago_s(report)
    if report.now_ms is not None and ago_s is not None:
        first = next((at_ms for at_ms in report.starts_ms if at_ms >= by), None)
        started = first or report.now_ms - round(ago_s * 1000)
        by = max(by, started) if started > made else by
    hand, who = _hand(report)
    return Arrival(by - clock_off_ms, made - clock_off_ms, hand, who)


def _hand(report: Report) -> tuple[Hand, str]:
    """Say who made the link, as far as the host tells: its own guard leaves a note of the very link it made."""
    if report.fallback and report.link and report.fallback[0] == report.link.id:
        return Hand.GUARD, report.fallback[1]
    return Hand.DEPLOY, ""


def clock_off_ms(host_ms: int | None, asked_ms: int, answered_ms: int) -> int:
    """Return how far a host's clock is ahead of ours, at least: what the way there explains is no difference."""
    if host_ms is None or asked_ms <= host_ms <= answered_ms:
        return 0
    return host_ms - (asked_ms if host_ms < asked_ms else answered_ms)


def platform_of(kernel: str) -> str:
    """Return `GOOS/GOARCH` for what `uname -s -m` says; empty where it says nothing."""
    system, _, machine = kernel.partition(" ")
    return f"{system.lower()}/{_ARCHITECTURES.get(machine, machine)}" if system and machine else ""


def started_ago_s(report: Report) -> float | None:
    """Return how long ago the unit's main process was started; None where it has none, or nobody can tell."""
    started_s = report.unit.started_s if report.unit else None
    return None if started_s is None or report.uptime_s is None else report.uptime_s - started_s
