"""`rollbackctl show`: the whole story of one rollback on one screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from controller.cli.evidence import evidence_lines
from controller.cli.options import api, api_options, json_option
from controller.cli.plans import notes_of
from controller.cli.records import because, cause, next_step, path_of, standing, subject
from controller.cli.stories import journal_lines
from controller.cli.terminal import clean, coloured, faint, print_json, say
from controller.cli.times import ago, now, stamp


@click.command("show")
@click.argument("ident", metavar="ID")
@json_option
@api_options
def command(*, ident: str, as_json: bool, config: Path | None, url: str | None) -> None:
    """Show one rollback: who, what, why, and every step."""
    record = api(config, url).get(path_of(ident))
    if as_json:
        print_json(record)
    else:
        print_story(record)


def print_story(record: dict[str, Any]) -> None:
    """Print what happened, why, and what to do now."""
    click.echo(f"{click.style(clean(subject(record)), bold=True)}  {coloured(standing(record))}")
    _line("id", record["id"])
    _line("wanted by", cause(record))
    for fingerprint, labels in _alerts(record):
        _line("alert", f"{fingerprint}{labels}")
    _line("opened", f"{stamp(record['opened_at'])} ({ago(record['opened_at'], now())})")
    if record["attempts"]:
        _line("attempts", record["attempts"])
    if record.get("approved_by"):
        _line("approved", f"by {record['approved_by']}")
    if record.get("overridden"):
        _line("set aside", ", ".join(record["overridden"]))
    _line("reason", because(record) or "-")
    for note in notes_of(record.get("plan")):
        _line("note", note)
    _line("next", next_step(record))
    _section("Journal", journal_lines(record))
    _section("Evidence, kept before the first change", evidence_lines(record))
    _section("Decisions", _decisions(record))


def _line(name: str, text: object) -> None:
    click.echo(f"  {faint(f'{name:<10}')}", nl=False)
    say(str(text))


def _section(title: str, lines: list[str]) -> None:
    if lines:
        say()
        say(title, bold=True)
    for line in lines:
        say(f"  {line}")


def _alerts(record: dict[str, Any]) -> list[tuple[str, str]]:
    known = {d["fingerprint"]: d.get("labels") for d in record["decisions"]}
    shown = []
    for fingerprint in record["episodes"][:10]:
        labels = known.get(fingerprint) or {}
        text = ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
        shown.append((fingerprint, f"  {{{text}}}" if text else ""))
    return shown


def _decisions(record: dict[str, Any]) -> list[str]:
    return [
        f"{d['fingerprint']}  {d['rule']}: {d['outcome']}, {d['reason']}"
        + (f": {d['detail']}" if d["detail"] else "")
        for d in record["decisions"][:10]
    ]
