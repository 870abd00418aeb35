"""The sections of `rollbackctl status` that tell what a person did, or has to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controller.cli.records import because, cause, label, moves, next_step, standing
from controller.cli.scopes import scope_flags, scope_words, until_words
from controller.cli.terminal import say, say_under
from controller.cli.times import ago, stamp
from rules.instances import read_instance

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

_SHOWN = 10

Entry = tuple[str, list[str]]
"""What it is about, and what is to say of it."""


def print_asked(records: Iterable[dict[str, Any]], now: datetime) -> None:
    """Print each question with what speaks for it, until when it is open, and how to answer."""
    print_entries(
        "Asks: waits for your answer", ((_asked(one), _how(one, now)) for one in records), style="yellow"
    )


def _asked(record: dict[str, Any]) -> str:
    asked = record["asked"]
    goes = f"{asked.get('from') or record['from'] or '(none)'} → {asked.get('to') or record['to']}"
    return f"{record['id']}  {label(record)}: {goes}"


def _how(record: dict[str, Any], now: datetime) -> list[str]:
    ident, until = record["id"], record["asked"].get("until")
    return [
        f"{cause(record)}; {because(record)}",
        *([f"open {until_words(until, now)}"] if until else []),
        f"`rollbackctl why {ident}` says what speaks for it",
        f"`rollbackctl approve {ident}` or `rollbackctl deny {ident} --reason …`",
    ]


def print_waiting(records: Iterable[dict[str, Any]], now: datetime) -> None:
    """Print each rollback that a guard holds back, with the guard's reason."""
    print_entries("Waiting, and judged anew every minute", ((_moving(one), _since(one, now)) for one in records))


def _moving(record: dict[str, Any]) -> str:
    return f"{record['id']}  {label(record)}" + (f": {moves(record)}" if record["to"] else "")


def _since(record: dict[str, Any], now: datetime) -> list[str]:
    held = record.get("held_since") or record["opened_at"]
    return [
        f"{cause(record)}, for {ago(held, now).removesuffix(' ago')}",
        because(record) or "it is its turn soon",
    ]


def print_records(title: str, records: Iterable[dict[str, Any]], now: datetime) -> None:
    """Print each rollback with where it stands, who wanted it, and why it stands there."""
    print_entries(title, ((_moving(one), _stands(one, now)) for one in records))


def _stands(record: dict[str, Any], now: datetime) -> list[str]:
    lines = [f"{standing(record)}, {ago(record['opened_at'], now)}; {cause(record)}", because(record)]
    if record["state"] == "held":
        lines.append(next_step(record))
    return [line for line in lines if line]


def print_hands(status: dict[str, Any], now: datetime) -> None:
    """Print what is paused, locked and demoted, by whom, until when, and what ends it."""
    print_entries("Stopped by hand", [*paused(status, now), *locked(status, now), *demoted(status)])
    print_entries("Held by the loop-breaker: rules leave it alone", breakers(status), style="yellow")
    print_entries("GitOps owners paused by a rollback", suspended(status))


def paused(status: dict[str, Any], now: datetime) -> Iterator[Entry]:
    """Tell of each pause."""
    for pause in status["paused"]:
        yield (
            f"paused: {scope_words(pause['scope'])} by {pause['by']}, {until_words(pause['until'], now)}",
            [_why(pause), f"`rollbackctl resume{scope_flags(pause['scope'])}` ends it"],
        )


def locked(status: dict[str, Any], now: datetime) -> Iterator[Entry]:
    """Tell of each lock."""
    for lock in status["locked"]:
        yield (
            f"locked: {lock['service']} by {lock['by']}, {until_words(lock['until'], now)}, or renewed",
            [_why(lock)],
        )


def demoted(status: dict[str, Any]) -> Iterator[Entry]:
    """Tell of each rule that may only ask."""
    for found in status["demoted"]:
        yield (
            f"demoted: rule {found['rule']} only asks, since {stamp(found['at'])}",
            [_why(found), f"`rollbackctl promote {found['rule']}` trusts it again"],
        )


def breakers(status: dict[str, Any]) -> Iterator[Entry]:
    """Tell of each service whose loop-breaker is open."""
    for found in status["breakers"]:
        yield (
            f"{found['service']}, since {stamp(found['at'])}",
            [_why(found), f"`rollbackctl resume --service {found['service']}` ends it, once that is mended"],
        )


def suspended(status: dict[str, Any]) -> Iterator[Entry]:
    """Tell of each GitOps owner that a rollback has paused."""
    for one in status["suspended"]:
        asked = f"{one['asked_by']} wants it to go on; the next sweep does it" if one["asked_by"] else ""
        yield (
            f"{one['owner']}, for {read_instance(one['instance']).label}, since {stamp(one['since'])}",
            [
                asked or one["says"] or f"until what it wants no longer names {one['bad']}",
                f"`rollbackctl resume --owner {one['owner']}` lets it go on",
            ],
        )


def _why(found: dict[str, Any]) -> str:
    return f"why: {found['why']}" if found["why"] else "why: nobody said"


def print_undelivered(status: dict[str, Any], now: datetime) -> None:
    """Print the messages that a channel has not got."""
    print_entries(
        "Not delivered",
        ((f"{one['title']} ({ago(one['at'], now)})", [_undelivered(one)]) for one in status["undelivered"]),
        style="yellow",
    )


def _undelivered(message: dict[str, Any]) -> str:
    channel = f"to {message['channel']}" if message["channel"] else "no worker has looked at it yet"
    tries = f", {message['tries']} tries" if message["tries"] else ""
    error = f": {message['error']}" if message["error"] else ""
    return f"{channel}{tries}{', given up' if message['gave_up'] else ''}{error}"


def print_differing(status: dict[str, Any], now: datetime) -> None:
    """Print the instances that run what our own hand brought, and not what their deployer wants."""
    print_entries(
        "Differs from what its deployer wants, until the next release arrives",
        (
            (
                f"{read_instance(one['instance']).label} runs {one['runs']}, not {one['wanted']}",
                [f"rolled back {ago(one['since'], now)}; `rollbackctl undo {one['rollback']}` takes it back"],
            )
            for one in status["differs"]
        ),
    )


def print_entries(title: str, entries: Iterable[Entry], *, style: str | None = None) -> None:
    """Print a title, and under it each entry with its lines; nothing where there is none."""
    found = list(entries)
    if not found:
        return
    say()
    say(title, style=style, bold=True)
    for about, lines in found[:_SHOWN]:
        say_under(about, 2)
        for line in lines:
            say_under(line, 6, dim=True)
    if len(found) > _SHOWN:
        say(f"  and {len(found) - _SHOWN} more: --json names them", style="bright_black")
