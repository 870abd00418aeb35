"""Releases that are known to be good and are no longer on the target: listed, so that a person sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.choosing.choice import Candidate
from rules.choosing.history import named
from rules.decisions import Reason
from rules.marks import Mark

if TYPE_CHECKING:
    from rules.choosing.fitness import Facts
    from rules.choosing.history import Entry

_MOST = 5
"""A service has hundreds over the years; the newest are those that somebody may still bring back."""


def no_longer_here(facts: Facts) -> list[Candidate]:
    """List the newest of them, each release once."""
    gone: dict[str, tuple[int, str]] = {}
    for word, marked in facts.catalogue.marks.items():
        one = named(word, facts.catalogue)
        if one.marked.mark is Mark.KNOWN_GOOD and not _is_here(one, facts):
            name = one.manifest.version if one.manifest else word
            gone[name] = max(gone.get(name, (0, name)), (one.built_ms or marked.at_ms or 0, name))
    newest = sorted(gone.values(), reverse=True)[:_MOST]
    return [_missing(name) for _, name in newest]


def _is_here(one: Entry, facts: Facts) -> bool:
    running = facts.history.running
    here = (*facts.history.on_target, *((running,) if running is not None else ()))
    return any(
        present.is_called(one.name) or (one.manifest is not None and one.manifest == present.manifest)
        for present in here
    )


def _missing(name: str) -> Candidate:
    detail = f"{name} is known to be good and is not on this target; deploy it there to have it as a way back"
    return Candidate(name, kept=False, reason=Reason.RELEASE_MISSING, detail=detail)
