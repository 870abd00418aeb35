"""Safeties of the product that can be taken out: an invariant that never fails proves nothing."""

from __future__ import annotations

import functools
from importlib import import_module


def commit(what: str) -> None:
    """Take safeties out of this process and of those that it forks; `what` names them, with commas between."""
    for name in filter(None, what.split(",")):
        _SAFETIES[name]()


def _no_fence() -> None:
    """Hosts take any hand, also one that is older than the last."""
    _script_without('guard_fence "$fence" "$rollback"', "read_fence")


def _no_compare() -> None:
    """Hosts switch whatever link they find, also one that has been switched already."""
    _script_without('[ "$link_target" = "$target" ] && [ "$fence_owner" = "$rollback" ]', "false")
    _script_without('[ "$link_target" != "$planned_target" ] || [ "$link_id" != "$planned_id" ]', "false")


def _link_removed_first() -> None:
    """Hosts remove the link before they make the new one."""
    moved = 'mv -fT -- "$state/current.new" "$current"'
    _script_without(moved, f'rm -f -- "$current" && {moved}')


def _nothing_written_down() -> None:
    """Do steps without an intent."""
    journal = import_module("workers.runner.journal").Journal
    journal.intend = lambda *_: None


def _no_limits() -> None:
    """Judge as if there were no limits."""
    judging = import_module("rules.judging")
    judging.GUARDS = tuple((name, guard) for name, guard in judging.GUARDS if name != "limits")


def _script_without(safety: str, instead: str) -> None:
    commands = import_module("workers.hosts.commands")
    script = commands.script
    if not any(safety in script(name) for name in commands.SCRIPTS):
        raise LookupError(f"no script of hosts says {safety!r} any more: say here what it says now")

    @functools.wraps(script)
    def unsafe(name: str) -> str:
        return str(script(name)).replace(safety, instead)

    commands.script = unsafe


_SAFETIES = {
    "fence": _no_fence,
    "compare": _no_compare,
    "rename": _link_removed_first,
    "intent": _nothing_written_down,
    "limits": _no_limits,
}
NAMES = tuple(_SAFETIES)
