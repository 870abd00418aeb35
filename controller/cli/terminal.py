"""What is printed: labels and names come from strangers, so nothing reaches a terminal that could steer it."""

from __future__ import annotations

import json
import re
import shutil
import sys
import textwrap
import unicodedata
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

_STEERING = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Control and format characters (among them those that turn text around), lone surrogates, line separators."""

_SHORT = 14
_COMMAND = re.compile("`[^`]{1,70}`")

COLOURS = {
    **dict.fromkeys(("recovered", "roll-back", "resolved", "ok", "known-good"), "green"),
    **dict.fromkeys(("failed", "held", "hold", "ineffective", "refused", "refuse", "known-bad"), "red"),
    **dict.fromkeys(("inconclusive", "waiting", "parked", "undoing", "observe", "ask", "suspect"), "yellow"),
    **dict.fromkeys(("planned", "acting", "verifying"), "cyan"),
    **dict.fromkeys(("cancelled", "superseded", "expired", "no-match"), "bright_black"),
}


def clean(text: object) -> str:
    """Return `text` with every character that could steer a terminal written out as its number."""
    return "".join(_written_out(c) if unicodedata.category(c) in _STEERING else c for c in str(text))


def _written_out(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()


def say(text: str = "", *, style: str | None = None, bold: bool = False, err: bool = False) -> None:
    """Print one line; `text` is cleaned, colours appear on a terminal only."""
    click.secho(clean(text), fg=style, bold=bold or None, err=err)


def say_under(text: str, indent: int, *, dim: bool = False, bold: bool = False, style: str | None = None) -> None:
    """Print a paragraph that steps in; on a terminal it is broken between words, in a pipe it is one line."""
    words = clean(text)
    if sys.stdout.isatty():
        width = max(shutil.get_terminal_size().columns - 1, indent + 20)
        margin = " " * indent
        words = textwrap.fill(
            _COMMAND.sub(_unbroken, words),
            width,
            initial_indent=margin,
            subsequent_indent=margin + "  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        words = words.removeprefix(margin).replace("\N{NO-BREAK SPACE}", " ")
    click.echo(click.style(" " * indent + words, fg=style, dim=dim or None, bold=bold or None))


def _unbroken(command: re.Match[str]) -> str:
    """Keep a command on one line, for whoever copies it."""
    return command[0].replace(" ", "\N{NO-BREAK SPACE}")


def coloured(word: str) -> str:
    """Give a state or outcome its colour; click takes it off again where there is no terminal."""
    return click.style(clean(word), fg=COLOURS.get(word))


def faint(text: object) -> str:
    """Return text that steps back."""
    return click.style(clean(text), dim=True)


def print_json(value: Any) -> None:
    """Print `value` as JSON that is safe on a terminal too."""
    click.echo(json.dumps(value, indent=2))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under column heads: aligned and folded on a terminal, never cut in a pipe.

    What is short (an id, a state) stays whole however narrow the terminal is; the rest is broken.
    """
    from rich.table import Table  # noqa: PLC0415 - loaded by those who list something
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_edge=False)
    cells = [[clean(cell) for cell in row] for row in rows]
    for at, column in enumerate(columns):
        last, widest = column == columns[-1], max((len(row[at]) for row in cells), default=0)
        whole = not last and (widest <= _SHORT or not sys.stdout.isatty())
        least = max(widest, len(column)) if widest <= _SHORT else None
        table.add_column(column, overflow="fold", no_wrap=whole, min_width=least, ratio=1 if last else None)
    for row in cells:
        table.add_row(*(Text(cell, style=COLOURS.get(cell, "")) for cell in row))
    console().print(table, soft_wrap=False)


def console() -> Console:
    """Build the console for standard output; without a terminal it is wide and plain."""
    from rich.console import Console  # noqa: PLC0415

    stream = sys.stdout
    return Console(file=stream, markup=False, highlight=False, emoji=False, width=None if stream.isatty() else 240)
