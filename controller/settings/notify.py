"""The channels by which people are told. Their addresses are secrets, and stand in files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from rules.telling import Kind

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


def _named(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("a channel's name is letters, digits, '-', '_' and '.', 63 at most, as in oncall")
    return name


ChannelName = Annotated[str, AfterValidator(_named)]


class Channel(BaseModel):
    """One way to reach people: everybody behind the addresses of one file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    urls_file: Path
    """Apprise URLs, one on a line; lines that begin with `#` and empty ones say nothing."""
    kinds: frozenset[Kind] = frozenset(Kind)
    """Which messages; by default every kind."""
    default: bool = False
    """Whether it is told what no rule, or a rule that names no channel, has to say."""


Channels = Mapping[str, Channel]


def channels_for(channels: Channels, named: Iterable[str], kind: str) -> tuple[str, ...]:
    """Name the channels that a message goes to, in the order of the settings; empty: nobody can be told.

    Those that the rule names, as far as they exist; else those that are marked `default`; else the first.
    """
    wanted = set(named)
    chosen = [name for name in channels if name in wanted]
    chosen = chosen or [name for name, channel in channels.items() if channel.default] or list(channels)[:1]
    return tuple(name for name in chosen if kind in channels[name].kinds)
