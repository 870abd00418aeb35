"""Manifests as pipelines write them: JSON over the API, or a file; every mistake at its place.

Keys are written_like_this; `cannot-go-back-past` may be written so, too. What identifies a build is strict: a
digest with a digit too few would never match anything, and nobody would notice. Null is what is not known.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, Field, ValidationError, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from rules.catalogue import DIGEST, Manifest
from rules.notifications import parse_timestamp
from rules.reading.fieldtypes import SAID, Section, reads, say, text
from rules.reading.wording import near_miss

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

LIMIT = "cannot-go-back-past"
_NAME = re.compile(r"[^\s/\x00-\x1f\x7f]{1,253}")
_HEX = re.compile(r"[0-9a-f]{64}")
_HEX_ANY_CASE = re.compile(r"[0-9A-Fa-f]{64}")
_MOST_DIGESTS = 50
_MOST_NOTES = 2000
_SYSTEMS = (
    *("aix", "android", "darwin", "dragonfly", "freebsd", "illumos", "ios", "js", "linux", "netbsd", "openbsd"),
    *("plan9", "solaris", "wasip1", "windows"),
)
_MACHINES = (
    *("386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le"),
    *("riscv64", "s390x", "wasm"),
)


class ManifestError(ValueError):
    """A manifest that cannot be taken; `field` is where, `index` which one of several."""

    def __init__(self, field: str, message: str, index: int | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.index = index


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


def _contradicts(field: str, message: str) -> None:
    raise PydanticCustomError(SAID, "{message}", {"message": message, "field": field})


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


class ManifestModel(Section):
    """What a pipeline says of one build. Only `version` is needed."""

    model_config = ConfigDict(alias_generator=None, populate_by_name=True)

    version: Name
    service: Name | None = None
    commit: Name | None = None
    digests: Annotated[list[Digest], Field(min_length=1, max_length=_MOST_DIGESTS)] | None = None
    artifact_sha256: Sha256 | None = None
    built_at: Time | None = None
    passed_smoke_test: bool | None = None
    go_version: Name | None = None
    platform: Platform | None = None
    goos: System | None = None
    goarch: Machine | None = None
    irreversible: bool | None = None
    cannot_go_back_past: Annotated[Name | None, Field(alias=LIMIT)] = None
    notes: Notes | None = None

    @model_validator(mode="before")
    @classmethod
    def _null_is_not_known(cls, value: Any) -> Any:
        return {key: one for key, one in value.items() if one is not None} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _has_one_platform(self) -> ManifestModel:
        if (self.goos is None) is not (self.goarch is None):
            _contradicts("goarch" if self.goos else "goos", "`goos` and `goarch` belong together: write both")
        if self.goos and self.platform not in {None, f"{self.goos}/{self.goarch}"}:
            both = f"`platform` says {self.platform}, `goos` and `goarch` {self.goos}/{self.goarch}"
            _contradicts("platform", f"{both}; keep one")
        return self

    @model_validator(mode="after")
    def _has_one_door(self) -> ManifestModel:
        if self.irreversible and self.cannot_go_back_past:
            _contradicts(
                "irreversible",
                "`irreversible` bars everything older, `cannot-go-back-past` only what is older than "
                f"{self.cannot_go_back_past}: they contradict each other; keep the one that is true",
            )
        if self.cannot_go_back_past == self.version:
            _contradicts(
                LIMIT,
                f"`{LIMIT}` names {self.version} itself, which bars everything older: write "
                "`irreversible: true`, or name the oldest release that may still run",
            )
        return self

    @property
    def is_reversible(self) -> bool:
        """Whether it is said outright that going back behind it is possible."""
        return self.irreversible is False

    def manifest(self, service: str) -> Manifest:
        """Return it as the core knows it."""
        platform = self.platform or (f"{self.goos}/{self.goarch}" if self.goos else "")
        return Manifest(
            service,
            self.version,
            commit=self.commit or "",
            digests=tuple(dict.fromkeys(self.digests or ())),
            artifact_sha256=self.artifact_sha256 or "",
            built_at_ms=self.built_at,
            passed_smoke_test=self.passed_smoke_test,
            go_version=self.go_version or "",
            platform=platform,
            irreversible=bool(self.irreversible),
            cannot_go_back_past=self.cannot_go_back_past or "",
            notes=self.notes or "",
        )


def read_manifests(content: object, service: str) -> tuple[ManifestModel, ...]:
    """Read one manifest or a list of them, all of this service; raises `ManifestError` for the first mistake."""
    if not isinstance(content, list):
        return (_read(content, service, None),)
    if not content:
        raise ManifestError("", "the list is empty; write at least one manifest")
    found = tuple(_read(one, service, index) for index, one in enumerate(content))
    versions = [one.version for one in found]
    for index, version in enumerate(versions):
        if version in versions[:index]:
            raise ManifestError("version", f"{version} stands in this list twice; keep one", index)
    return found


def names_a_newer_one(manifest: Manifest, others: Mapping[str, Manifest]) -> bool:
    """Whether `cannot-go-back-past` names a release that was built no earlier than this one itself."""
    limit = others.get(manifest.cannot_go_back_past)
    if limit is None or limit.built_at_ms is None or manifest.built_at_ms is None:
        return False
    return limit.built_at_ms >= manifest.built_at_ms


def _read(content: object, service: str, index: int | None) -> ManifestModel:
    try:
        found = ManifestModel.model_validate(content)
    except ValidationError as error:
        raise _problem(error.errors(include_url=False, include_input=False)[0], index) from error
    if found.service not in {None, service}:
        raise ManifestError("service", f"this says {found.service}, and it is registered for {service}", index)
    return found


def _problem(detail: ErrorDetails, index: int | None) -> ManifestError:
    context, kind = detail.get("ctx", {}), detail["type"]
    field = ".".join(str(part) for part in detail["loc"]) or str(context.get("field", ""))
    if kind == "extra_forbidden":
        known = [info.alias or name for name, info in ManifestModel.model_fields.items()]
        hint = near_miss(field, known) or f"; known are {', '.join(known)}"
        return ManifestError(field, f"`{field[:80]}` is not known here{hint}", index)
    if kind == "missing":
        return ManifestError(field, f"`{field}` is missing; add it", index)
    return ManifestError(field, str(context.get("message") or _WANTED.get(kind, detail["msg"])), index)


_WANTED = {
    "model_type": 'write a manifest as an object, as in {"version": "v1.3.0"}',
    "bool_type": "write true or false",
    "list_type": 'write a list, as in ["sha256:…"]',
    "too_short": "this is empty; write at least one, or leave the key out",
    "too_long": f"this is too long: at most {_MOST_DIGESTS} digests",
}
