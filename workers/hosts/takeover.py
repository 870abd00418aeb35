"""What a step that somebody else began has come to. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.plans import StepState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.hosts.reports import Report, Unit


def switch_state(report: Report, values: Mapping[str, object], before: Mapping[str, object]) -> StepState:
    """Tell whether the link was switched: it says the new text, or is the very link that was there before."""
    link = report.link
    if link is None:
        return StepState.NEITHER
    if link.target == values["target"]:
        return StepState.DONE
    if link.facts() == dict(before):
        return StepState.NOT_DONE
    return StepState.NEITHER


def restart_state(unit: Unit | None, before: Mapping[str, object]) -> StepState:
    """Tell whether the unit was restarted: it lives a life that began after `before` was written.

    A life that is already over does not count. systemd may have given the bad release a few more of those before
    the start limit ended it; one restart more does no harm, none at all would leave the unit down.
    """
    if unit is None or unit["ActiveState"] not in ("active", "activating", "reloading"):
        return StepState.NOT_DONE
    fresh = bool(unit["InvocationID"]) and unit["InvocationID"] != before.get("invocation")
    return StepState.DONE if fresh else StepState.NOT_DONE
