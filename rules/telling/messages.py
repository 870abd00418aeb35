"""A message to people."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a message is about; a channel may be for some kinds only."""

    ASKED = "asked"
    """A plan waits for a person's answer."""
    HELD = "held"
    """Something keeps a rule from acting, and a person should see to it."""
    STARTED = "started"
    """A campaign changed its first instance."""
    ENDED = "ended"
    """A campaign is over: what came of it."""
    STORM = "storm"
    """Too much fires at once; nothing is rolled back."""
    DEMOTED = "demoted"
    """A rule may only ask from now on."""
    UNDELIVERED = "undelivered"
    """A message could not be brought to a channel."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is told, in plain text, and by which channels; `channels` empty: the settings say who is told.

    `campaign`, `rollback` and `service` say what it is about; they are shown beside it and are not its text.
    """

    kind: Kind
    title: str
    body: str
    channels: tuple[str, ...] = ()
    campaign: str = ""
    rollback: str = ""
    service: str = ""
