"""Manifests as pipelines write them: JSON over the API, or a file; every mistake at its place.

Keys are written_like_this; `cannot-go-back-past` may be written so, too. What identifies a build is strict: a
digest with a digit too few would never match anything, and nobody would notice. Null is what is not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from rules.catalogue import Manifest
from rules.reading.fieldtypes import SAID, Section
from rules.reading.manifestfields import Digest, Machine, Name, Notes, Platform, Sha256, System, Time
from rules.reading.wording import near_miss

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

LIMIT = "cannot-go-back-past"
_MOST_DIGESTS = 50


class ManifestError(ValueError):
    """A manifest that cannot be taken; `field` is where, `index` which one of several."""

    def __init__(self, field: str, message: str, index: int | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.index = index


def _contradicts(field: str, message: str) -> None:
    raise PydanticCustomError(SAID, "{message}", {"message": message, "field": field})


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
