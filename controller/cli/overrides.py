"""`--override`: what a person sets aside by name, which the record keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

override_option = click.option(
    "--override",
    multiple=True,
    metavar="NAME",
    help="Set this guard, or this reason against a release, aside; `,` between several. The record keeps it.",
)


def overridden(words: Iterable[str]) -> list[str]:
    """Return the names, however they were put together."""
    return [name.strip() for word in words for name in word.split(",") if name.strip()]
