"""Every command that is sent to a host, as an argument list. Pure.

Each job is one fixed POSIX script, sent as `sh -c SCRIPT sh ARG…`. Values are positional arguments and never
become text of the script, so no name, path or label can ever be run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import cast

Argv = tuple[str, ...]
Values = Mapping[str, object]

_SCRIPTS = Path(__file__).parent / "scripts"
SCRIPTS = {
    "observe": ("guard", "unit", "observe"),
    "switch": ("guard", "switch"),
    "restart": ("guard", "unit", "restart"),
    "keep_stable": ("guard", "keep_stable"),
    "drain": ("guard", "drain"),
    "look": ("unit", "look"),
    "evidence": ("unit", "evidence"),
    "rights": ("rights",),
}
_KNOWS_LINK = frozenset({"observe", "switch", "restart", "keep_stable", "drain"})
"""Scripts that begin with guard.sh, whose first argument is the link."""


@cache
def script(name: str) -> str:
    """Return the whole text of a script, its shared parts first."""
    start = "current=$1\n" if name in _KNOWS_LINK else ""
    return start + "".join((_SCRIPTS / f"{part}.sh").read_text() for part in SCRIPTS[name])


def observe(
    current: str,
    releases: str,
    *,
    executable: str | None = None,
    complete: str | None = None,
    unit: str | None = None,
    wait_s: int = 0,
) -> Argv:
    """Look at everything. With `wait_s` the look waits for the lock first, and so for a script that still runs."""
    return _sh("observe", current, releases, executable or "", complete or "", unit or "", wait_s)


def switch(values: Values, fence: int, rollback: str, wait_s: int) -> Argv:
    """Point the link at the release, if it still is the link that was planned against."""
    planned = cast("Mapping[str, str]", values["planned"])
    link = (values["current"], values["target"], values["release"], planned["target"], planned["id"])
    return _sh("switch", *link, fence, rollback, wait_s)


def restart(values: Values, fence: int, rollback: str, wait_s: int, *, sudo: bool) -> Argv:
    """Make the service take up what the link points to."""
    held = (values["current"], values["target"], fence, rollback, wait_s, int(sudo))
    how = (values["kind"], values.get("unit") or "", values.get("signal") or "", values.get("path") or "")
    return _sh("restart", *held, *how, *_words(values.get("argv")))


def keep_stable(values: Values, fence: int, rollback: str, wait_s: int) -> Argv:
    """Write the name of the proven release beside the link."""
    return _sh("keep_stable", values["current"], values["target"], values["name"], fence, rollback, wait_s)


def drain(values: Values, fence: int, rollback: str, wait_s: int) -> Argv:
    """Start the service's own command for leaving (or entering) rotation, or see what became of it."""
    within = values["within_s"]
    return _sh(
        "drain", values["current"], values["note"], within, fence, rollback, wait_s, *_words(values["argv"])
    )


def look(unit: str) -> Argv:
    """Look at a unit and its main process."""
    return _sh("look", unit)


def evidence(unit: str, logs_s: float, most_bytes: int) -> Argv:
    """Read the unit's state and the newest part of its log."""
    return _sh("evidence", unit, max(int(logs_s), 1), most_bytes)


def rights(unit: str, verbs: Sequence[str]) -> Argv:
    """Ask sudo whether the verbs that a restart needs are allowed."""
    return _sh("rights", unit, *verbs)


def sudo_verbs(kind: str, signal: str | None) -> tuple[str, ...]:
    """Return what a restart of this kind asks of systemctl; the sudoers file must allow all of it."""
    anew = ("daemon-reload", "reset-failed", "restart")
    return {"systemd": anew, "reload": (*anew, "reload"), "signal": (*anew, f"kill:{signal}")}.get(kind, ())


def _sh(name: str, *arguments: object) -> Argv:
    return ("sh", "-c", script(name), "sh", *map(str, arguments))


def _words(argv: object) -> tuple[str, ...]:
    return tuple(str(word) for word in argv) if isinstance(argv, (list, tuple)) else ()
