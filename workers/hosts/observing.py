"""From what the script saw to what the core decides on. Pure."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.errors import Permanent, Transient
from rules.matching.regexes import compile_anchored
from rules.observations import Observation, ReleaseSeen
from rules.services import RELEASE_PATTERN, is_safe_name
from workers.hosts.arrivals import arrived, platform_of
from workers.hosts.ordering import orders

if TYPE_CHECKING:
    from collections.abc import Callable

    from rules.inventory import Service
    from workers.hosts.reports import Entry, Link, Report


def observation(report: Report, service: Service, clock_off_ms: int = 0) -> Observation:
    """Say what the host runs and what it could run. `clock_off_ms` is how far the host's clock is ahead of ours.

    Raises where there is nothing that a rollback could start from: no link, or no releases. A link that leads
    elsewhere is no such case: `running` is None then, and a release asked for by name can still be gone to.
    """
    link = _require(report, service)
    running = running_release(report, service)
    return Observation(
        running=running,
        arrival=f"{link.target}@{link.id}",
        fence=report.fence,
        fence_owner=report.fence_owner,
        releases=_releases(_admitted(report, service, running), report, service, running),
        last_stable=report.stable,
        details=_details(report, link, service, running) | {"clock_off_s": clock_off_ms / 1000},
        arrived=arrived(report, clock_off_ms),
        platform=platform_of(report.kernel),
    )


def with_told(seen: Observation, told: tuple[str, ...]) -> Observation:
    """Add the words by which the service itself names what it runs.

    Where that is another release than the link's, its process was not started again: these words name something
    else then.
    """
    details = {**seen.details, "version_told": list(told)}
    others = [one.name for one in seen.releases if one.name != seen.running and _names_of(one.name) & {*told}]
    if others and not _names_of(seen.running or "") & {*told}:
        details["problem"] = f"it says that it runs {told[0]}, and its link says {seen.running}: restart it"
        return replace(seen, details=details)
    releases = tuple(
        replace(one, aliases=(*one.aliases, *told)) if one.name == seen.running else one for one in seen.releases
    )
    return replace(seen, details=details, releases=releases)


def _names_of(release: str) -> set[str]:
    """Return a release's name, with and without the `v` that versions are written with."""
    return {release, release.removeprefix("v"), f"v{release}"}


def running_release(report: Report, service: Service) -> str | None:
    """Return the name of the release that the link points to, None if it leads out of the releases directory."""
    if report.link is None:
        return None
    path = posixpath.normpath(posixpath.join(posixpath.dirname(service.current), report.link.target))
    parent, name = posixpath.split(path)
    if parent == posixpath.normpath(service.releases):
        return name if is_safe_name(name) else None
    # The inventory may name the same directory by another way, over a link of its own.
    known = {entry.name for entry in report.entries}
    return name if report.has("inside") and name in known else None


def _require(report: Report, service: Service) -> Link:
    if not report.whole:
        raise Transient(Reason.UNREACHABLE, "the host's answer broke off; it is asked again")
    if report.has("no-releases"):
        raise _misconfigured(f"{service.releases} is not there: correct `releases:` in the inventory, or deploy")
    if report.has("unreadable-releases"):
        message = f"{service.releases} may not be listed by us: give the deploying user read access"
        raise Permanent(Reason.RIGHTS_MISSING, message)
    if report.link is None:
        ways = {
            "missing": "is not there: correct `current:` in the inventory, or deploy once",
            "directory": "is a directory, not a link: make it a link to one of the releases",
            "file": "is a file, not a link: make it a link to one of the releases",
        }
        unread = report.has("is-link")
        problem = (
            "cannot be read: the host's `stat` is not GNU's; install coreutils"
            if unread
            else ways[report.link_kind]
        )
        raise _misconfigured(f"{service.current} {problem}")
    if not report.link.target.isprintable():
        raise _misconfigured(f"{service.current} points to a name that is not text: point it to a plain name")
    return report.link


def _misconfigured(message: str) -> Permanent:
    return Permanent(Reason.TARGET_MISCONFIGURED, message)


def _admitted(report: Report, service: Service, running: str | None) -> list[Entry]:
    """Return what is a release: called like one, and a directory or file as the running one is."""
    kind = next((entry.kind for entry in report.entries if entry.name == running), None)
    like_a_release = _test(service.pattern or RELEASE_PATTERN)
    return [
        entry
        for entry in report.entries
        if kind in (None, entry.kind)
        and is_safe_name(entry.name)
        and (like_a_release(entry.name) or entry.name == running)
    ]


def _releases(
    entries: list[Entry], report: Report, service: Service, running: str | None
) -> tuple[ReleaseSeen, ...]:
    contents = _contents(report, service, running)
    order = orders(entries, service.order)
    incomplete = {posixpath.basename(path) for path in report.named("incomplete")}
    not_executable = {posixpath.basename(path) for path in report.named("not-executable")}
    seen = (
        ReleaseSeen(
            name=entry.name,
            order=order[entry.name],
            complete=entry.name not in incomplete,
            executable=entry.name not in not_executable,
            allowed=service.whitelisted(entry.name),
            content=contents.get(entry.name, ""),
        )
        for entry in entries
    )
    return tuple(sorted(seen, key=lambda release: release.order))


def _contents(report: Report, service: Service, running: str | None) -> dict[str, str]:
    """Return the sum of each release that is one file, by the release's name."""
    sums = {
        posixpath.basename(path): digest for path, digest in report.contents.items() if path != service.current
    }
    present = report.contents.get(service.current)
    return {**sums, running: present} if running and present else sums


@cache
def _test(pattern: str) -> Callable[[str], bool]:
    """Compile a pattern once: it costs as much as all the rest of a look."""
    return compile_anchored(pattern)


def _details(report: Report, link: Link, service: Service, running: str | None) -> dict[str, object]:
    names = {entry.name for entry in report.entries}
    details: dict[str, object] = {
        "link": link.facts(),
        "fence_owner": report.fence_owner,
        "read_only": sorted(report.named("read-only")),
        "tools_missing": sorted(report.named("no-tool")),
    }
    if report.disk:
        free, block, inodes, most_inodes = report.disk
        details["disk_free_bytes"] = free * block
        if most_inodes:
            details["inodes_free"] = inodes
    if report.odd_names:
        details["odd_names_skipped"] = report.odd_names
    if report.unit:
        details["unit"] = report.unit.facts()
    if running is None:
        details["problem"] = f"{service.current} leads out of {service.releases}, to {link.target}"
    elif running not in names:
        details["problem"] = f"{service.current} dangles: {running} is no longer there"
    return details
