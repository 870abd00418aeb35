"""Whether what an owner wants still names the bad release, as far as a cluster can tell. Pure.

Conservative: an owner goes on by itself only where the bad release is known to be named no longer. A new revision
in Git proves nothing of the kind; what cannot be told waits for a person.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from workers.kubernetes.gitops.claims import entry_of
from workers.kubernetes.gitops.kinds import APPLICATION, HELM_RELEASE
from workers.kubernetes.gitops.naming import API_KINDS
from workers.kubernetes.images import read_image
from workers.kubernetes.templates import images, sha_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rules.instances import WorkloadInstance
    from workers.kubernetes.gitops.kinds import OwnerKind
    from workers.kubernetes.marks import Json

_EXACT = re.compile(r"v?\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?")
_PART_OF_A_WORD = r"[\w.-]"
_ASK = "resume it once Git no longer wants the bad release"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the owner may go on, and why or why not."""

    resume: bool
    why: str


@dataclass(frozen=True, slots=True)
class Case:
    """An owner that we paused for a workload, and what is there of both now; `workload` None where it is gone."""

    kind: OwnerKind
    owner: Json
    hold: Mapping[str, Any]
    instance: WorkloadInstance
    workload: Json | None


def wanted(kind: OwnerKind, owner: Json, bad: Iterable[str]) -> dict[str, Any]:
    """Return what is remembered at the pause: where the spec names the bad images, and what else tells."""
    return {"named": sorted(places(owner["spec"], bad)), **_facts(kind, owner)}


def places(spec: Json, bad: Iterable[str]) -> dict[str, str]:
    """Return where a spec names one of these images, by tag or digest, and the text that does."""
    words = [word for image in bad for word in _words(image)]
    return {place: text for place, text in _texts(spec) if any(_names(text, word) for word in words)}


def judge(case: Case) -> Verdict:
    """Say whether an owner that we paused may go on."""
    still = places(case.owner["spec"], case.hold["bad"]["images"])
    if still:
        place, text = next(iter(still.items()))
        return _wait(f"spec.{place} still names {_short(text)}")
    now = dict(_texts(case.owner["spec"]))
    named = {place: now.get(place, "") for place in case.hold["named"]}
    if named and all(text and "\n" not in text for text in named.values()):
        return _go_on(", ".join(f"spec.{place} is {_short(text)} now" for place, text in named.items()))
    if case.kind is APPLICATION:
        return _synced(case)
    if named:
        return _wait(f"spec.{next(iter(named))}, which named the bad release, cannot be seen to name another")
    if case.kind is HELM_RELEASE:
        return _charted(case)
    return _wait("which images its source wants cannot be seen from the cluster")


def _charted(case: Case) -> Verdict:
    """Compare exact versions of the chart; what a range stands for nobody here knows."""
    before, now = case.hold.get("chart"), _facts(HELM_RELEASE, case.owner)["chart"]
    if not before or not now or before == now:
        return _wait(f"its chart's version is not exact, or is still {now or before or 'unsaid'}")
    if case.owner["spec"].get("valuesFrom"):
        return _wait("values come from elsewhere too (valuesFrom), and may name the bad image")
    return _go_on(f"its chart is {now} now, and was {before}")


def _synced(case: Case) -> Verdict:
    """Go by Argo CD's comparing, which goes on while it is paused: what is as Git wants it is wanted."""
    if stale := _stale(case):
        return _wait(stale)
    entry, name = entry_of(case.owner, case.instance), case.instance.label
    if entry is None or entry.get("status") != "Synced" or case.workload is None:
        return _wait(f"Argo CD wants another {name} than there is, and which release that is cannot be seen")
    if _is_ignored(case):
        return _wait(f"ignoreDifferences hides what Argo CD wants of {name}")
    if _is_bad(case.workload["spec"]["template"], case.hold["bad"]):
        return _wait(f"{name} runs the bad release again, as Argo CD wants it")
    return _go_on(f"Argo CD wants {name} as it is now, and that is not the bad release")


def _stale(case: Case) -> str:
    """Say why Argo CD's comparing tells nothing; empty where it is of another revision than at the pause."""
    status = case.owner.get("status") or {}
    compared = (status.get("sync") or {}).get("comparedTo") or {}
    if not _later(status.get("reconciledAt"), case.hold["since"]):
        return "Argo CD has not compared since"
    if case.hold.get("revisions") == _revisions(case.owner):
        return "Argo CD compares with the revision that it was paused at"
    if any(compared.get(part) != case.owner["spec"].get(part) for part in ("source", "sources")):
        return "Argo CD has not compared with what the Application says now"
    return ""


def _go_on(why: str) -> Verdict:
    return Verdict(resume=True, why=why)


def _wait(why: str) -> Verdict:
    return Verdict(resume=False, why=f"{why}: {_ASK}")


def _is_bad(template: Json, bad: Mapping[str, Any]) -> bool:
    return sha_of(template) == bad["sha"] or bool({*images(template).values()} & {*bad["images"]})


def _facts(kind: OwnerKind, owner: Json) -> dict[str, Any]:
    if kind is APPLICATION:
        return {"revisions": _revisions(owner)}
    if kind is HELM_RELEASE:
        chart = (owner["spec"].get("chart") or {}).get("spec") or {}
        version = str(chart.get("version", ""))
        return {"chart": f"{chart.get('chart')} {version}" if _EXACT.fullmatch(version) else ""}
    return {"revisions": [str((owner.get("status") or {}).get("lastAttemptedRevision", ""))]}


def _revisions(application: Json) -> list[str]:
    sync = (application.get("status") or {}).get("sync") or {}
    return [str(revision) for revision in sync.get("revisions") or [sync.get("revision", "")]]


def _is_ignored(case: Case) -> bool:
    ignored = case.owner["spec"].get("ignoreDifferences") or ()
    return any(entry.get("kind") in (API_KINDS[case.instance.kind], "*") for entry in ignored)


def _later(told: str | None, since: str) -> bool:
    try:
        return told is not None and datetime.fromisoformat(told) > datetime.fromisoformat(since)
    except (ValueError, TypeError):
        return False


def _words(image: str) -> Iterator[str]:
    named = read_image(image)
    if named.digest:
        yield named.digest
    yield named.tag.removeprefix("v") if named.tag else image


def _names(text: str, word: str) -> bool:
    """Whether a text holds a tag or a digest as a word of its own; `v1.2.3` and `1.2.3` are the same."""
    return re.search(rf"(?<!{_PART_OF_A_WORD})v?{re.escape(word)}(?!{_PART_OF_A_WORD})", text) is not None


def _texts(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield each text of a spec with its place. Entries of a list are known by their name, where they have one."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _texts(one, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            name = one.get("name", index) if isinstance(one, dict) else index
            yield from _texts(one, f"{place}[{name}]")
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield place, str(value)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:59] + "…"
