"""Does a unit's main process run from the release that it should? Pure."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers.hosts.reports import Unit


class RunsFrom(StrEnum):
    """Where a main process runs from, as far as it can be told."""

    TARGET = "target"
    ELSEWHERE = "elsewhere"
    UNTOLD = "untold"
    NO_PROCESS = "no-process"


def runs_from(unit: Unit, *, releases: str, release: str, current: str) -> RunsFrom:
    """Tell where the main process runs from.

    Its executable and working directory say it best, but only root and the service's own user may see them. Then
    its arguments, and last the unit's definition. A path through `current` counts as the release that the link
    points to: the caller has made sure that the process was started after the switch.
    """
    if not unit.main_pid:
        return RunsFrom.NO_PROCESS
    for texts in ((unit.exe, unit.cwd), unit.arguments, (unit["WorkingDirectory"], unit["ExecStart"])):
        if any(_names(release, text) for text in texts):
            return RunsFrom.TARGET
        if any(_names(releases, text) for text in texts):
            return RunsFrom.ELSEWHERE
        if any(_names(current, text) for text in texts):
            return RunsFrom.TARGET
    return RunsFrom.UNTOLD


def _names(path: str, text: str) -> bool:
    """Tell whether a text names a path or something below it, as a whole word of it."""
    return bool(path) and re.search(rf"(?:^|[=:,;\s]){re.escape(path)}(?:[/:,;\s]|$)", text) is not None
