"""All targets, and how many cases of a run each gets."""

from __future__ import annotations

from fuzz.api import API
from fuzz.loaders import LOADERS
from fuzz.receiver import RECEIVER
from fuzz.spellings import WORD_TARGETS
from fuzz.target import Target

TARGETS: tuple[Target, ...] = (RECEIVER, API, *LOADERS, *WORD_TARGETS)


def by_name(name: str) -> Target:
    """Return the target of that name; raises `SystemExit` that names all of them."""
    found = next((target for target in TARGETS if target.name == name), None)
    if found is None:
        sys_exit = f"there is no target {name}; there is: {', '.join(target.name for target in TARGETS)}"
        raise SystemExit(sys_exit)
    return found


def shares(cases: int) -> dict[str, int]:
    """Spread cases over the targets by their weight; together they are no fewer."""
    whole = sum(target.share for target in TARGETS)
    return {target.name: -int(-cases * target.share // whole) for target in TARGETS}
