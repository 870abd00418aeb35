"""What the scripts print, as values. Pure.

Records end with NUL and begin with a keyword and a tab; nothing but NUL cannot be part of a file's name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_ENTRY = re.compile(
    r"(?P<id>[0-9]+:(?P<seconds>[0-9]+)(?:\.(?P<fraction>[0-9]{1,9}))?)\t(?P<mode>[0-9a-f]+)\t(?P<path>.*)",
    re.DOTALL,
)
_DIGITS = re.compile("[0-9]{1,18}")
_SECONDS = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")
_CONTENT = re.compile("(?P<sum>[0-9a-f]{64})  (?P<path>/.*)", re.DOTALL)
_IS_LINK, _IS_DIRECTORY, _IS_FILE, _KIND = 0xA000, 0x4000, 0x8000, 0xF000


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link: what it says, and the inode and mtime that tell this link from a later equal one."""

    target: str
    id: str

    @property
    def made_ms(self) -> int:
        """When the link was made, by the host's clock."""
        return _milliseconds(self.id.partition(":")[2]) or 0

    def facts(self) -> dict[str, str]:
        """Return it JSON-able."""
        return {"target": self.target, "id": self.id}


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in the releases directory."""

    name: str
    kind: str
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Unit:
    """What systemd says of a unit, and where its main process runs from, as far as we may see."""

    properties: dict[str, str]
    exe: str = ""
    cwd: str = ""
    arguments: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> str:
        return self.properties.get(name, "")

    @property
    def restarts(self) -> int:
        """How often systemd itself has restarted it since it was last started by somebody."""
        return _number(self["NRestarts"])

    @property
    def main_pid(self) -> int:
        """The main process, 0 for none."""
        return _number(self["MainPID"])

    @property
    def started_s(self) -> float | None:
        """When the main process was started, in seconds since the host was; None where there is none."""
        since_boot_us = _number(self["ExecMainStartTimestampMonotonic"])
        return since_boot_us / 1e6 if self.main_pid and since_boot_us else None

    def facts(self) -> dict[str, object]:
        """Return what is worth keeping, JSON-able."""
        return {**self.properties, "exe": self.exe, "cwd": self.cwd, "arguments": list(self.arguments)}

    @classmethod
    def from_facts(cls, facts: Mapping[str, object]) -> Unit:
        """Read back what `facts` gave."""
        words = {key: value for key, value in facts.items() if isinstance(value, str)}
        listed = facts.get("arguments")
        arguments = tuple(map(str, listed)) if isinstance(listed, list) else ()
        return cls(words, words.pop("exe", ""), words.pop("cwd", ""), arguments)


@dataclass(slots=True)
class Report:
    """The records of one script. `whole` is False where the script did not come to its end.

    `now_ms` is the host's own clock, `changed_ms` when the link was last moved or made by it, `uptime_s` how long
    the host has been up. `starts_ms` are the first starts of a unit since the link was moved, where it was started
    more than once and its journal may be read. `fallback` is the link that a guard on the host made last, and the
    release that it left by it. `contents` are sums of the files that releases run, by path, as far
    as there was time.
    """

    whole: bool = False
    fence: int = 0
    fence_owner: str = ""
    stable: str | None = None
    link: Link | None = None
    link_kind: str = "missing"
    entries: list[Entry] = field(default_factory=list)
    odd_names: int = 0
    flags: dict[str, set[str]] = field(default_factory=dict)
    disk: tuple[int, int, int, int] | None = None
    unit: Unit | None = None
    code: int | None = None
    log: str | None = None
    now_ms: int | None = None
    changed_ms: int | None = None
    uptime_s: float | None = None
    starts_ms: tuple[int, ...] = ()
    kernel: str = ""
    fallback: tuple[str, str] | None = None
    contents: dict[str, str] = field(default_factory=dict)

    def has(self, flag: str) -> bool:
        """Whether the script raised this flag."""
        return flag in self.flags

    def named(self, flag: str) -> set[str]:
        """Return what the script named under this flag."""
        return self.flags.get(flag, set())


def parse(output: bytes, current: str = "") -> Report:
    """Read what a script printed. Records nobody knows, and half ones at the end, are left out."""
    report = Report()
    for record in output.split(b"\0")[:-1]:
        key, _, rest = record.decode("utf-8", "surrogateescape").partition("\t")
        if key == "end":
            report.whole = True
        elif key == "entry":
            _entry(report, rest, current)
        elif key in ("exe", "cwd", "arguments", "unit"):
            _unit(report, key, rest)
        elif key in ("now", "changed", "uptime", "kernel", "starts"):
            _circumstance(report, key, rest)
        else:
            _fact(report, key, rest)
    return report


def _fact(report: Report, key: str, rest: str) -> None:
    match key, rest.split("\t"):
        case "fence", [number, owner] if _DIGITS.fullmatch(number):
            report.fence, report.fence_owner = int(number), owner
        case "link", [identity, target]:
            report.link, report.link_kind = Link(target, identity), "link"
        case "disk", [*numbers] if len(numbers) == 4 and all(map(_DIGITS.fullmatch, numbers)):
            free, block, inodes, most_inodes = map(int, numbers)
            report.disk = (free, block, inodes, most_inodes)
        case "code", [code] if _DIGITS.fullmatch(code):
            report.code = int(code)
        case "fallback", [identity, left]:
            report.fallback = identity, _plain(left)
        case "stable", _:
            report.stable = rest.strip() or None
        case "content", _ if read := _CONTENT.fullmatch(rest):
            report.contents[read["path"]] = read["sum"]
        case "log", _:
            report.log = rest.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        case _:
            report.flags.setdefault(key, set()).add(rest)


def _circumstance(report: Report, key: str, rest: str) -> None:
    match key:
        case "now":
            report.now_ms = _milliseconds(rest)
        case "changed":
            report.changed_ms = _milliseconds(rest)
        case "starts":
            read = (_milliseconds(word) for word in rest.split())
            report.starts_ms = tuple(at_ms for at_ms in read if at_ms is not None)
        case "uptime":
            report.uptime_s = float(rest) if _SECONDS.fullmatch(rest) else None
        case _:
            report.kernel = _plain(rest)


def _entry(report: Report, rest: str, current: str) -> None:
    read = _ENTRY.fullmatch(rest)
    if read is None:
        return
    path, kind = read["path"], int(read["mode"], 16) & _KIND
    if path == current or path.startswith(f"{current} -> "):
        report.link_kind = {_IS_LINK: "link", _IS_DIRECTORY: "directory"}.get(kind, "file")
        if kind == _IS_LINK:
            report.link = Link(path[len(current) + len(" -> ") :], read["id"])
        return
    name = path.rpartition("/")[2]
    if kind not in (_IS_DIRECTORY, _IS_FILE):
        return
    if not name.isprintable():
        report.odd_names += 1
        return
    mtime_ns = int(read["seconds"]) * 1_000_000_000 + int((read["fraction"] or "").ljust(9, "0"))
    report.entries.append(Entry(name, "directory" if kind == _IS_DIRECTORY else "file", mtime_ns))


def _unit(report: Report, key: str, rest: str) -> None:
    if key == "unit":
        pairs = (line.partition("=") for line in rest.splitlines())
        properties = {name: _plain(value) for name, _, value in pairs}
        report.unit = Unit(properties) if properties else None
    elif report.unit is not None:
        seen = report.unit
        exe, cwd, arguments = seen.exe, seen.cwd, seen.arguments
        if key == "arguments":
            arguments = tuple(_plain(word) for word in rest.split("\x1f") if word)
        elif key == "exe":
            exe = _plain(rest)
        else:
            cwd = _plain(rest)
        report.unit = Unit(seen.properties, exe, cwd, arguments)


def _number(text: str) -> int:
    return int(text) if _DIGITS.fullmatch(text) else 0


def _milliseconds(text: str) -> int | None:
    if not _SECONDS.fullmatch(text):
        return None
    seconds, _, fraction = text.partition(".")
    return int(seconds) * 1000 + int(fraction.ljust(3, "0")[:3])


def _plain(text: str) -> str:
    """Make text fit for JSON: a host may say anything."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
