"""Writes the figures into README.md, between its markers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.load import Load
from bench.matching import Matching
from bench.memory import Size
from bench.overload import Storm
from bench.reacting import Reaction
from bench.receiving import KINDS, SIZES, Beside, Row
from bench.undoing import Undoing

README = Path(__file__).with_name("README.md")
_BEGIN, _END = "<!-- figures: begin -->", "<!-- figures: end -->"


def write(sections: Iterable[str]) -> None:
    """Put the sections in place of the ones from the last run."""
    text = README.read_text()
    before, rest = text.split(_BEGIN)
    after = rest.split(_END)[1]
    README.write_text("\n\n".join((before + _BEGIN, *sections, _END + after)))


def received(rows: Sequence[Row]) -> str:
    """Show what the receiver accepts: a line for each size, a column for each kind."""
    everysec = {(row.alerts, row.kind): row.load for row in rows if row.fsync == "everysec"}
    always = {(row.alerts, row.kind): row.load for row in rows if row.fsync == "always"}
    lines = [_rates(size, "everysec", [everysec[size, kind] for kind in KINDS]) for size in SIZES]
    lines += [_rates(n, "always", [always[n, kind] for kind in KINDS]) for n in sorted({n for n, _ in always})]
    return _table(("alerts in a body", "fsync", *(f"{kind}: POSTs/s (alerts/s, p99)" for kind in KINDS)), lines)


def _refused(one: Load) -> str:
    return f", {one.refused} answered 503" if one.refused else ""


def _rates(size: int, fsync: str, loads: Iterable[Load]) -> tuple[str, ...]:
    shown = (f"{one.per_s:,.0f} ({one.per_s * size:,.0f}, {one.p99_ms:.0f} ms{_refused(one)})" for one in loads)
    return (f"{size:,}", fsync, *shown)


def beside_webhook(found: Iterable[Beside]) -> str:
    """Show both, and the ratio of one turn to the next."""
    lines = [(one.kind, f"{one.ours:,.0f}", f"{one.webhook:,.0f}", f"{one.ratio:.2f}") for one in found]
    return _table(("bodies of 100 alerts", "ours, POSTs/s", "webhook, POSTs/s", "ratio"), lines)


def overloaded(found: Iterable[Storm]) -> str:
    """Show what a storm does to the answers, to Redis and to the server's memory."""
    lines = [
        (
            one.what,
            f"{one.answered:,}",
            f"{one.refused:,}",
            *(f"{seconds:.2f} s" for seconds in (one.p50_s, one.slowest_s)),
            f"{one.longest_ms:.1f} ms",
            f"{one.peak_mb:.0f} MB",
        )
        for one in found
    ]
    head = ("what is sent", "answered", "of it 503", "p50", "slowest", "Redis' longest command", "server's peak")
    return _table(head, lines)


def reacted(found: Iterable[Reaction]) -> str:
    """Show the times to the change, and to the answer before it."""
    return _table(
        ("fsync", "rollbacks", "answer p50", "change p50", "p95", "p99"),
        [
            (
                one.fsync,
                str(len(one.changed)),
                f"{one.answered[len(one.answered) // 2]:.1f} ms",
                *(f"{one.quantile(share):.1f} ms" for share in (0.5, 0.95, 0.99)),
            )
            for one in found
        ],
    )


def undone(found: Iterable[Undoing]) -> str:
    """Show the times from a POST to the accepted patch, ours and webhook's."""
    lines = [
        (one.who, str(len(one.changed)), *(f"{one.quantile(share):.1f} ms" for share in (0.5, 0.95)))
        for one in found
    ]
    return _table(("POST to accepted patch", "turns", "p50", "p95"), lines)


def matched(found: Sequence[Matching]) -> str:
    """Show the cost of an alert, and how it grows."""
    least = found[0].us_per_alert
    return _table(
        ("rules", "an alert", f"times that of {found[0].rules}", "read and index the file"),
        [
            (
                f"{one.rules:,}",
                f"{one.us_per_alert:.2f} µs",
                f"{one.us_per_alert / least:.2f}",
                f"{one.read_s:.2f} s",
            )
            for one in found
        ],
    )


def remembered(found: Iterable[Size]) -> str:
    """Show each process."""
    lines = [(one.process, f"{one.rss_mb:.0f} MB", f"{one.pss_mb:.0f} MB") for one in found]
    return _table(("process", "RSS", "PSS"), lines)


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [head, ["---", *("---:" for _ in head[1:])], *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
