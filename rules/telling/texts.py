"""The texts of messages: plain, short lines that read well on a phone, each ending with what a person can do.

Pure: what is told comes in as values, and everything that others wrote is cleaned here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rules.decisions import Reason
from rules.telling.cleaning import clean, listed
from rules.telling.messages import Kind, Message
from rules.telling.wording import facts, until

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+:@-]*")
_BODY_MOST = 3_000
"""Telegram takes 4,096 characters; what is longer is cut at the end of a line."""


@dataclass(frozen=True, slots=True)
class About:
    """What a message is about, as far as it is known.

    `judgement` is what `rules.judgement.shown` gives. `alert` is its name, `summary` its annotation. `channels`
    are those that the rule names. `untouched` are sentences about what stays as it is.
    """

    service: str
    rule: str = ""
    environment: str = ""
    instances: tuple[str, ...] = ()
    from_release: str = ""
    to_release: str = ""
    rollback: str = ""
    campaign: str = ""
    alert: str = ""
    summary: str = ""
    judgement: Mapping[str, Any] = field(default_factory=dict)
    untouched: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Member:
    """What came of one instance of a campaign."""

    instance: str
    outcome: str
    detail: str = ""


def asked(about: About, *, detail: str, now_ms: int, until_ms: int | None) -> Message:
    """Ask for a yes or no to a plan: what, from what to what, why, what stays, and how to answer and undo."""
    lines = [
        *_what(about),
        f"Why a person is asked: {clean(detail, 300)}",
        *facts(about.judgement),
        *(f"Stays as it is: {clean(text, 200)}" for text in about.untouched),
        "",
        f"Yes: rollbackctl approve {about.rollback}{_to(about)}",
        f"No: rollbackctl deny {about.rollback} --reason WHY",
        f"It waits for an answer{until(until_ms, now_ms)}. Without one nothing is changed.",
        f"To take it back afterwards: rollbackctl undo {about.rollback}",
    ]
    return _message(Kind.ASKED, about, f"Approve? {_way(about)}", lines)


def _to(about: About) -> str:
    """Name the release, so that the yes is to what was read; what no shell takes as it is, is left out."""
    return f" --to {about.to_release}" if _PLAIN.fullmatch(about.to_release) else ""


def held(about: About, *, reason: str, detail: str, now_ms: int, until_ms: int | None = None) -> Message:
    """Say that something keeps a rule from acting, and what ends that."""
    lines = [
        *_what(about),
        f"It waits: {clean(detail, 300)} ({clean(reason, 40)})",
        *facts(about.judgement),
        "",
        _end_of(reason, until_ms, now_ms),
        f"All of it: rollbackctl why {about.rollback}",
    ]
    return _message(Kind.HELD, about, f"Held: {_way(about)}", lines)


def started(about: About) -> Message:
    """Say that a campaign changes its first instance."""
    lines = [
        *_what(about),
        *facts(about.judgement),
        *(f"Stays as it is: {clean(text, 200)}" for text in about.untouched),
        "",
        f"Watch: rollbackctl show {about.rollback}",
        f"Stop what has not begun: rollbackctl cancel {about.rollback}",
        f"Take it back: rollbackctl undo {about.rollback}",
    ]
    return _message(Kind.STARTED, about, f"Rolling back {_way(about)}", lines)


def ended(about: About, members: Sequence[Member]) -> Message:
    """Sum a campaign up: what came of each instance, the ones that need somebody first."""
    counts: dict[str, int] = {}
    for member in members:
        counts[member.outcome] = counts.get(member.outcome, 0) + 1
    good = set(counts) <= {"recovered"}
    summed = ", ".join(f"{n} {clean(outcome, 30)}" for outcome, n in sorted(counts.items()))
    troubled = [member for member in members if member.outcome != "recovered"]
    lines = [
        *_what(about),
        f"Outcome: {summed}",
        *(
            f"- {clean(m.instance)}: {clean(m.outcome, 30)}. {clean(m.detail, 200)}".rstrip()
            for m in troubled[:10]
        ),
        *([f"and {len(troubled) - 10} more"] if len(troubled) > 10 else []),
        "",
        "Nothing to do."
        if good
        else "Somebody should look: this release may not be the cause, or not the only one.",
        f"All of it: rollbackctl why {about.rollback}",
        f"Take it back: rollbackctl undo {about.rollback}",
    ]
    title = f"{'Recovered' if good else 'NOT recovered'}: {_way(about)}"
    return _message(Kind.ENDED, about, title, lines)


def storm(services: Iterable[str], *, detail: str, channels: tuple[str, ...] = ()) -> Message:
    """Say once that so much fires at a time that no release can be the cause."""
    names = tuple(sorted(set(services)))
    lines = [
        f"Alerts about {len(names)} services came at once: {listed(names)}.",
        clean(detail, 300),
        "Nothing is rolled back by a rule while that lasts: it is more likely a network, a database or a zone.",
        "",
        "Look: rollbackctl status",
        "Roll one back yourself: rollbackctl rollback SERVICE",
    ]
    return Message(Kind.STORM, f"Storm: {len(names)} services alert at once", _cut(lines), channels)


def demoted(rule: str, *, why: str, rollback: str, channels: tuple[str, ...] = ()) -> Message:
    """Say that a rule may only ask from now on, and how that ends."""
    name = clean(rule)
    lines = [
        f"The rule {name} asks before it acts from now on.",
        f"Why: {clean(why, 300)}",
        "",
        *([f"What it did: rollbackctl why {rollback}"] if rollback else []),
        f"Once the rule is right again: rollbackctl promote {name}",
    ]
    return Message(Kind.DEMOTED, f"Rule {name} may only ask", _cut(lines), channels, rollback=rollback)


def looping(service: str, *, why: str, rollback: str, channels: tuple[str, ...] = ()) -> Message:
    """Say that rules leave a service alone from now on, and how that ends."""
    name = clean(service, 60)
    lines = [
        f"Rules leave {name} alone from now on: going back did not end its trouble, again and again.",
        f"Why: {clean(why, 300)}",
        "A person can roll it back all the same; nothing else is held back.",
        "",
        f"What was done last: rollbackctl why {rollback}",
        f"Once it is known what is wrong: rollbackctl resume --service {name}",
    ]
    title = f"Loop-breaker: rules leave {name} alone"
    return Message(Kind.HELD, title, _cut(lines), channels, rollback=rollback, service=service)


def undelivered(channel: str, title: str, error: str, channels: tuple[str, ...]) -> Message:
    """Tell other channels that one is not reached."""
    lines = [
        f"The channel {clean(channel)} has not been reached for a while: {clean(error, 300)}",
        f"It waits for this among others: {clean(title)}",
        "It is tried again for three days.",
        "",
        f"Correct the addresses in its `urls-file`; `rollbackctl status` shows what waits for {clean(channel)}.",
    ]
    return Message(Kind.UNDELIVERED, f"Channel {clean(channel)} is not reached", _cut(lines), channels)


def lost(channel: str, count: int) -> Message:
    """Tell a channel that is reached again how many messages it will never get."""
    lines = [
        f"{count} older messages were not brought here while this channel was not reached, and will not be.",
        "",
        "What happened meanwhile: rollbackctl history",
    ]
    return Message(Kind.UNDELIVERED, f"{count} messages are missing here", _cut(lines), (channel,))


def _message(kind: Kind, about: About, title: str, lines: Iterable[str]) -> Message:
    body = _cut(lines)
    return Message(kind, title, body, about.channels, about.campaign, about.rollback, about.service)


def _way(about: About) -> str:
    of = clean(about.service, 60) or "a service"
    if about.environment:
        of = f"{of} ({clean(about.environment, 30)})"
    if not about.from_release:
        return of
    return f"{of}: {clean(about.from_release, 60)} → {clean(about.to_release, 60) or 'nothing to go back to'}"


def _what(about: About) -> Iterator[str]:
    count = len(about.instances)
    if count:
        yield f"{'Instance' if count == 1 else f'{count} instances'}: {listed(about.instances)}"
    if about.alert:
        summary = f" - {clean(about.summary, 200)}" if about.summary else ""
        yield f"Alert: {clean(about.alert, 80)}{summary}"
    if about.rule:
        yield f"Rule: {clean(about.rule, 80)}"


_ENDS = {
    Reason.PAUSED_BY_PERSON: "It goes on when somebody says `rollbackctl resume`, or when the pause ends",
    Reason.LOOP_BREAKER: "It goes on when somebody says `rollbackctl resume --service` with its name",
    Reason.DEPLOY_LOCKED: "It goes on when the deployment lets the service go",
    Reason.FROZEN: "It goes on when the freeze window ends",
    Reason.CAMPAIGN_STOPPED: "It does not go on by itself: see why the last one did not help",
    Reason.RULE_UNKNOWN: "It goes on when workers and servers have the same rules and version",
    Reason.STORM: "It is judged anew when the storm is over",
}


def _end_of(reason: str, until_ms: int | None, now_ms: int) -> str:
    said = next((text for known, text in _ENDS.items() if known == reason), None)
    said = said or "It is judged anew every minute, and you are asked if that lasts longer than 30 minutes"
    return f"{said}{until(until_ms, now_ms)}."


def _cut(lines: Iterable[str]) -> str:
    """Join lines; where that is too long, those in the middle go: how to answer stands at the end."""
    kept = list(lines)
    while len("\n".join(kept)) > _BODY_MOST and len(kept) > 12:
        del kept[len(kept) // 2]
    return "\n".join(kept).strip()
