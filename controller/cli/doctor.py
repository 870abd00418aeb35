"""`rollbackctl doctor`: everything that is wrong with this installation, each thing with what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from controller.cli.failures import Failed
from controller.cli.options import config_option, json_option
from controller.cli.terminal import print_json, say, say_under

if TYPE_CHECKING:
    from rules.findings import Finding, Section

_MARKS = {"well": ("ok", "green"), "warns": ("!", "yellow"), "wrong": ("x", "red")}


@click.command("doctor")
@click.option("--quiet", is_flag=True, help="Show only what is not well.")
@json_option
@config_option
def command(*, quiet: bool, as_json: bool, config: Path | None) -> None:
    """Look this installation over: files, Redis, server, workers, and whatever workers reach.

    Ends with 1 where something is wrong. It changes nothing, and tells no rule of anything.
    """
    sections: list[Section] = []
    for section in _sections(config):
        sections.append(section)
        if not as_json:
            _print(section, quiet=quiet)
    found = [finding for section in sections for finding in section.findings]
    bad = sum(finding.level == "wrong" for finding in found)
    odd = sum(finding.level == "warns" for finding in found)
    if as_json:
        print_json({"well": not bad, "sections": [section.written() for section in sections]})
    else:
        _print_summary(bad, odd)
    if bad:
        raise click.exceptions.Exit(Failed.exit_code)


def _sections(config: Path | None) -> Iterator[Section]:
    """Yield each section when it is known; without settings nothing else can be looked at."""
    from controller.cli.doctor_files import look_at_files, look_at_settings  # noqa: PLC0415 - `--help` waits for none
    from controller.cli.doctor_ledger import look_at_redis  # noqa: PLC0415
    from controller.cli.doctor_server import look_at_server  # noqa: PLC0415
    from controller.cli.doctor_standing import look_at_standing  # noqa: PLC0415
    from controller.cli.doctor_workers import ask_workers, look_at_workers  # noqa: PLC0415

    settings, section = look_at_settings(config)
    yield section
    if settings is None:
        return
    yield look_at_files(settings)
    ledger, section = look_at_redis(settings)
    yield section
    yield look_at_server(settings, ledger)
    if ledger is not None:
        yield look_at_workers(settings, ledger)
        yield look_at_standing(ledger)
        yield from ask_workers(ledger)


def _print(section: Section, *, quiet: bool) -> None:
    shown = [finding for finding in section.findings if not (quiet and finding.level == "well")]
    if not shown:
        return
    say(section.title, bold=True)
    for finding in shown:
        _print_finding(finding)
    say()


def _print_finding(finding: Finding) -> None:
    mark, colour = _MARKS[finding.level]
    say_under(f"{mark:<2} {finding.what}", 2, style=colour if finding.fix else None)
    if finding.fix:
        say_under(f"-> {finding.fix}", 5)


def _print_summary(bad: int, odd: int) -> None:
    if not bad and not odd:
        say("Nothing is wrong.", style="green")
        return
    parts = [f"{count} {word}" for count, word in ((bad, "wrong"), (odd, "to know of")) if count]
    say(f"{', '.join(parts)}." + ("" if bad else " Nothing is wrong."), style="red" if bad else "yellow")
