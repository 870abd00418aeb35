"""Alerts, decisions and judgements as people read them: what becomes of each instance, and what it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from controller.cli.terminal import clean, coloured, faint, say
from rules.instances import read_instance

if TYPE_CHECKING:
    from collections.abc import Mapping

_LABELS_SHOWN = 8
_VERDICTS = {"allow": "green", "ask": "yellow", "wait": "yellow", "hold": "red", "refuse": "red"}
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400


def print_alert(entry: Mapping[str, Any], *, why: bool) -> None:
    """Print one alert with a line for each rule; with `why` also everything that each answer rests on."""
    labels = dict(entry["labels"])
    name = labels.pop("alertname", "(no alertname)")
    click.echo(f"{click.style(clean(name), bold=True)}  {clean(entry['status'])}  {faint(entry['fingerprint'])}")
    shown = [f'{label}="{value}"' for label, value in sorted(labels.items())]
    more = f", and {len(shown) - _LABELS_SHOWN} more" if len(shown) > _LABELS_SHOWN else ""
    if shown:
        say(f"  {', '.join(shown[:_LABELS_SHOWN])}{more}", style="bright_black")
    width = max((len(clean(decision["rule"])) for decision in entry["decisions"]), default=0)
    for decision in entry["decisions"]:
        _print_decision(decision, width)
        if why:
            for judgement in decision.get("judgements", ()):
                print_judgement(judgement)
    say()


def _print_decision(decision: Mapping[str, Any], width: int) -> None:
    rule = f"{clean(decision['rule']):<{width}}"
    if decision["outcome"] == "no-match":
        say(f"  {rule}  no-match   {decision['detail']}", style="bright_black")
        return
    padding = " " * (9 - len(decision["outcome"]))
    click.echo(f"  {rule}  {coloured(decision['outcome'])}{padding}  {clean(decision['reason'])}: ", nl=False)
    say(decision["detail"])


def print_judgement(judgement: Mapping[str, Any], indent: str = "    ") -> None:
    """Print one instance: what becomes of it, every guard with its facts, every release that was considered."""
    to = f" to {judgement['to']}" if judgement["to"] else ""
    label = clean(read_instance(judgement["instance"]).label)
    click.echo(f"{indent}{click.style(label, bold=True)}{clean(to)}: ", nl=False)
    click.echo(f"{coloured(judgement['outcome'])} ({clean(judgement['reason'])})")
    width = max((len(guard["guard"]) for guard in judgement["guards"]), default=0)
    for guard in judgement["guards"]:
        _print_guard(guard, f"{indent}  ", width)
    for candidate in judgement["candidates"]:
        _print_candidate(candidate, f"{indent}  ")


def _print_guard(guard: Mapping[str, Any], indent: str, width: int) -> None:
    verdict = click.style(f"{guard['verdict']:<6}", fg=_VERDICTS.get(guard["verdict"]))
    reason = "" if guard["verdict"] == "allow" else f"{guard['reason']}: "
    click.echo(f"{indent}{clean(guard['guard']):<{width}}  {verdict}  {clean(reason + guard['detail'])}")
    for fact in guard["facts"]:
        said = ", ".join(part for part in (fact["source"], _age(fact["age_s"])) if part)
        source = f"  ({said})" if said else ""
        say(f"{indent}{' ' * width}          {fact['name']}: {fact['value']}{source}", style="bright_black")


def _age(age_s: float | None) -> str:
    if age_s is None:
        return ""
    for unit, seconds in (("d", _DAY_S), ("h", _HOUR_S), ("min", _MINUTE_S)):
        if age_s >= seconds:
            return f"{age_s / seconds:.0f} {unit} ago"
    return f"{age_s:.0f} s ago" if age_s >= 1 else "just now"


def _print_candidate(candidate: Mapping[str, Any], indent: str) -> None:
    kept = click.style("to  ", fg="green") if candidate["kept"] else click.style("not ", fg="red")
    reason = "" if candidate["kept"] else f" ({candidate['reason']})"
    click.echo(f"{indent}{kept}{clean(candidate['release'])}{clean(reason)}: {clean(candidate['detail'])}")
