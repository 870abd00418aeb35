"""Whether there would be something to go back to, asked before a release is deployed; `choose` decides it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.observations import Observation, ReleaseSeen
from rules.releases import choose
from rules.to import LastKnownGood

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rules.catalogue import Catalogue
    from rules.choosing.choice import Choice

THE_NEXT = "the next release"


def would_go_back(
    history: Sequence[Sequence[str]], catalogue: Catalogue, *, coming: str = "", platform: str = ""
) -> Choice:
    """Choose as if `coming` ran on an instance and turned out bad.

    `history` is what it ran before, newest first, each release by all its names, the first of which is its own.
    """
    coming = coming or THE_NEXT
    past: dict[str, Sequence[str]] = {}
    for names in history:
        if names and coming not in names:
            past.setdefault(names[0], names)
    older = [
        ReleaseSeen(name, (-place,), aliases=tuple(names[1:])) for place, (name, names) in enumerate(past.items())
    ]
    releases = (ReleaseSeen(coming, (1,)), *older)
    observation = Observation(coming, "", 0, releases)
    return choose([LastKnownGood()], observation, frozenset(), catalogue=catalogue, platform=platform)
