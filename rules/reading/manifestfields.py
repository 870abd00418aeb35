"""The kinds of value that a manifest holds. A build is identified strictly: nearly right would match nothing."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import WithJsonSchema

from rules.catalogue import DIGEST
from rules.notifications import parse_timestamp
from rules.reading.fieldtypes import reads, say, text
from rules.reading.wording import near_miss

_NAME = re.compile(r"[^\s/\x00-\x1f\x7f]{1,253}")
_HEX = re.compile(r"[0-9a-f]{64}")
_HEX_ANY_CASE = re.compile(r"[0-9A-Fa-f]{64}")
_MOST_NOTES = 2000
_SYSTEMS = (
    *("aix", "android", "darwin", "dragonfly", "freebsd", "illumos", "ios", "js", "linux", "netbsd", "openbsd"),
    *("plan9", "solaris", "wasip1", "windows"),
)
_MACHINES = (
    *("386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le"),
    *("riscv64", "s390x", "wasm"),
)


def _name(value: Any) -> str:
    written = text(value)
    if not written.strip():
        say("this is empty; write a text, or leave the key out")
    if not _NAME.fullmatch(written):
        say("write at most 253 characters, without spaces, slashes and control characters")
    return written


def _digest(value: Any) -> str:
    written = text(value)
    digest = written.rpartition("@")[2]
    if not digest.startswith(DIGEST):
        say("write `sha256:` and 64 hexadecimal digits; an image's tag is no digest: it moves")
    digits = digest.removeprefix(DIGEST)
    if not _HEX.fullmatch(digits):
        say(f"after `sha256:` come 64 hexadecimal digits in lower case; these are {len(digits)} characters")
    return digest


def _sha256(value: Any) -> str:
    written = text(value)
    if written.startswith(DIGEST):
        say("write the 64 digits alone, as sha256sum prints them; digests of images belong under `digests`")
    if not _HEX_ANY_CASE.fullmatch(written):
        say(f"write 64 hexadecimal digits, as sha256sum prints them; these are {len(written)} characters")
    return written.lower()


def _time(value: Any) -> int:
    if isinstance(value, int | float) and not isinstance(value, bool):
        say("write the time as in 2026-01-22T03:47:00Z, not as a number")
    at_ms = parse_timestamp(text(value))
    if at_ms is None:
        say("write a time with a zone, after 1970, as in 2026-01-22T03:47:00Z or 2026-01-22T03:47:00+01:00")
    return at_ms


def _system(value: Any) -> str:
    return _one_of(text(value), _SYSTEMS, "GOOS")


def _machine(value: Any) -> str:
    return _one_of(text(value), _MACHINES, "GOARCH")


def _platform(value: Any) -> str:
    written = text(value)
    system, slash, machine = written.partition("/")
    if not slash:
        say("write GOOS/GOARCH, as in linux/amd64")
    return f"{_one_of(system, _SYSTEMS, 'GOOS')}/{_one_of(machine, _MACHINES, 'GOARCH')}"


def _one_of(word: str, known: tuple[str, ...], kind: str) -> str:
    if word not in known:
        hint = near_miss(word, known) or f"; known are {', '.join(known)}"
        say(f"`{word[:40]}` is no {kind} that Go knows{hint}")
    return word


def _notes(value: Any) -> str:
    written = text(value)
    if len(written) > _MOST_NOTES:
        say(f"write at most {_MOST_NOTES} characters")
    return written


Name = Annotated[str, reads(_name), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 253})]
Digest = Annotated[str, reads(_digest), WithJsonSchema({"type": "string", "pattern": "(^|@)sha256:[0-9a-f]{64}$"})]
Sha256 = Annotated[str, reads(_sha256), WithJsonSchema({"type": "string", "pattern": "^[0-9A-Fa-f]{64}$"})]
Time = Annotated[int, reads(_time), WithJsonSchema({"type": "string", "format": "date-time"})]
System = Annotated[str, reads(_system), WithJsonSchema({"enum": list(_SYSTEMS)})]
Machine = Annotated[str, reads(_machine), WithJsonSchema({"enum": list(_MACHINES)})]
Platform = Annotated[str, reads(_platform), WithJsonSchema({"type": "string"})]


Notes = Annotated[str, reads(_notes), WithJsonSchema({"type": "string", "maxLength": _MOST_NOTES})]
