"""A service's releases as a person reads them: one line each, what matters at night first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controller.cli.terminal import print_table, say
from controller.cli.times import ago, now

if TYPE_CHECKING:
    from datetime import datetime

_SHORT_COMMIT = 9
_INSTANCES_NAMED = 2
_REASONS = {
    "nothing-known-good": "nothing is known of any earlier release",
    "no-candidate": "no earlier release is known to be good",
}


def print_releases(answer: dict[str, Any]) -> None:
    """Print the releases of a service."""
    service, moment = answer["service"], now()
    if not answer["releases"]:
        say(
            f"Nothing is known of any release of {service}. "
            f"Register one: `rollbackctl releases add {service} --version VERSION`."
        )
    else:
        print_table(
            ("RELEASE", "IS", "BUILT", "COMMIT", "STABLE IN", "RUNS ON", "WHY"),
            (_row(one, moment) for one in answer["releases"]),
        )
    if answer["more"]:
        say(f"{answer['more']} older: --limit {answer['more'] + len(answer['releases'])}.", style="bright_black")
    if answer.get("note"):
        say(f"Note: {answer['note']}.", style="yellow", err=True)


def _row(one: dict[str, Any], moment: datetime) -> tuple[str, ...]:
    manifest = one["manifest"] or {}
    return (
        one["release"],
        one["mark"],
        ago(manifest.get("built_at"), moment),
        manifest.get("commit", "-")[:_SHORT_COMMIT],
        ", ".join(name or "all" for name in one["stable_in"]) or "-",
        _where(one["runs_on"]),
        _why(one, manifest),
    )


def _where(instances: list[str]) -> str:
    if not instances:
        return "-"
    named = ", ".join(name.rpartition("/")[2] for name in instances[:_INSTANCES_NAMED])
    return named if len(instances) <= _INSTANCES_NAMED else f"{named} and {len(instances) - _INSTANCES_NAMED} more"


def _why(one: dict[str, Any], manifest: dict[str, Any]) -> str:
    """Say what must be known of it: what it cannot be gone back past, and who thinks what of it."""
    said = []
    if manifest.get("passed_smoke_test") is False:
        said.append("failed its smoke test")
    if manifest.get("irreversible"):
        said.append("irreversible")
    if limit := manifest.get("cannot_go_back_past"):
        said.append(f"cannot go back past {limit}")
    if one["by"]:
        said.append(f"{one['by']}: {one['why']}" if one["why"] else one["by"])
    elsewhere = [mark for mark in one["marks"] if mark["environment"] and mark["mark"] != one["mark"]]
    said += [f"{mark['mark']} in {mark['environment']} ({mark['by']})" for mark in elsewhere]
    return "; ".join(said) or "-"


def print_readiness(answer: dict[str, Any]) -> None:
    """Print what each instance would go back to."""
    coming = answer["release"] or "the next release"
    if not answer["seen"]:
        _print_unseen(answer, coming)
        return
    print_table(
        ("INSTANCE", "RUNS", "WOULD GO BACK TO", "WHY"),
        ((one["instance"], one["running"], one["to"] or "nothing", _because(one)) for one in answer["instances"]),
    )
    say(_conclusion(answer, coming))


def _print_unseen(answer: dict[str, Any], coming: str) -> None:
    (one,) = answer["instances"]
    say("No instance was seen yet; this is what the catalogue alone says.", style="bright_black")
    if one["to"]:
        say(f"{coming} could be rolled back to {one['to']}.")
    else:
        say(f"{_because(one)}.")
        say(_conclusion(answer, coming))


def _conclusion(answer: dict[str, Any], coming: str) -> str:
    if answer["ready"]:
        return f"Ready: if {coming} is bad, every instance has a release to go back to."
    return (
        f"Not ready: if {coming} is bad, a rule cannot go back everywhere. Say which release is good: "
        f"`rollbackctl releases good {answer['service']} RELEASE`."
    )


def _because(one: dict[str, Any]) -> str:
    """Say why this one, or of the newest that will not do why not."""
    chosen = next((candidate for candidate in one["candidates"] if candidate["kept"]), None)
    if chosen is not None:
        return str(chosen["detail"])
    newest = one["candidates"][0]["detail"] if one["candidates"] else "no earlier release is known"
    return f"{_REASONS.get(one['reason'], one['reason'])}: {newest}"
