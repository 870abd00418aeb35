"""Labels and names come from strangers: nothing of them reaches a terminal that could steer it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from controller.cli.terminal import clean, print_json, print_table, say

HOSTILE = [
    ("\x1b[2J\x1b[31mred", r"\x1b[2J\x1b[31mred"),
    ("a\nb\rc\td\x00", r"a\nb\rc\td\x00"),
    ("\x9b31m", r"\x9b31m"),
    ("abc\u202egnp.exe", r"abc\u202egnp.exe"),
    ("zero\u200bwidth", r"zero\u200bwidth"),
    ("line\u2028end", r"line\u2028end"),
    ("half \ud800", r"half \ud800"),
    ("\x7f", r"\x7f"),
    ("größe → 日本 🙂", "größe → 日本 🙂"),
]


@pytest.mark.parametrize(("text", "shown"), HOSTILE)
def test_what_could_steer_is_written_out(text: str, shown: str) -> None:
    """And what is only foreign stays as it is."""
    assert clean(text) == shown


def test_markup_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    """A label that looks like markup is shown as it is written, and a table in a pipe is never cut."""
    long = "[bold]x[/bold] :smile: " + "y" * 150
    print_table(("NAME", "WHY"), [("\x1b[1mboo", long)])
    shown = capsys.readouterr().out
    assert long in shown
    assert "\x1b" not in shown


def test_no_colour_without_a_terminal() -> None:
    """Files and pipes get plain text."""
    import click  # noqa: PLC0415

    @click.command()
    def command() -> None:
        say("fine", style="green", bold=True)

    assert CliRunner().invoke(command).output == "fine\n"


def test_json_is_safe_on_a_terminal_and_the_same_data(capsys: pytest.CaptureFixture[str]) -> None:
    """What steers is escaped by JSON's own means."""
    value = {"label": "\x1b[31m\u202e\x9b"}
    print_json(value)
    shown = capsys.readouterr().out
    assert json.loads(shown) == value
    assert shown.isascii()
    assert "\x1b" not in shown
