"""A release in a facts file: what its manifest says, what is thought of it, and how it lies on one instance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AliasChoices, ConfigDict, Field, WithJsonSchema, model_validator

from rules.catalogue import Manifest
from rules.decisions import Reason
from rules.marks import Mark, Marked
from rules.observations import ReleaseSeen
from rules.reading.factfields import FactSection, Names, Time
from rules.reading.fieldtypes import Prose, Text, one_of, reads, say, text
from rules.reading.wording import near_miss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rules.observations import Drop

_SHORT = {"good": Mark.KNOWN_GOOD, "bad": Mark.KNOWN_BAD}


def _mark(value: Any) -> Mark:
    word = _SHORT.get(text(value), value)
    if word not in set(Mark):
        say(f"`{word}` is no mark{near_miss(word, Mark) or '; write ' + ' or '.join(Mark)}")
    return Mark(word)


MarkWord = Annotated[Mark, reads(_mark), WithJsonSchema({"enum": [mark.value for mark in Mark]})]
ReasonWord = Annotated[Reason, one_of(Reason), WithJsonSchema({"type": "string"})]


class MarkFacts(FactSection):
    """What is thought of a release, by whom; in one environment, or in all."""

    release: Annotated[Text | None, Field(description="Which release, by any of its names.")] = None
    mark: Annotated[MarkWord, Field(description="unknown, known-good, suspect or known-bad.")]
    environment: Annotated[Prose, Field(description="Where it holds; without it everywhere.")] = ""
    by: Annotated[Prose, Field(description="Who says so: a person, `rollback ID` or `observer`.")] = ""
    why: Annotated[Prose, Field(description="Why.")] = ""
    at: Annotated[Time | None, Field(description="Since when.")] = None

    def marked(self, now_ms: int) -> Marked:
        """Return it as the core knows it."""
        return Marked(self.mark, self.by, self.why, self.at.at(now_ms) if self.at else None)


def _either_name(schema: dict[str, Any]) -> None:
    """Let `version` stand for `name`."""
    schema["properties"]["version"] = schema["properties"]["name"]
    schema["required"] = []
    schema["oneOf"] = [{"required": ["name"]}, {"required": ["version"]}]


class ReleaseFacts(FactSection):
    """One release. Only its name is needed."""

    model_config = ConfigDict(json_schema_extra=_either_name)

    name: Annotated[
        Text,
        Field(validation_alias=AliasChoices("name", "version"), description="Its name; `version` says the same."),
    ]
    service: Annotated[
        Text | None, Field(description="The service, as manifests say it; it must be this one.")
    ] = None
    commit: Annotated[Prose, Field(description="The commit it was built from.")] = ""
    digests: Annotated[
        Names,
        Field(
            default_factory=list,
            validation_alias=AliasChoices("digests", "digest"),
            description="Digests of its images: the same bits under another name are the same release.",
        ),
    ]
    artifact_sha256: Annotated[Prose, Field(description="The hash of its artifact.")] = ""
    content: Annotated[Prose, Field(description="What identifies its bits on this instance.")] = ""
    built_at: Annotated[Time | None, Field(description="When it was built.")] = None
    passed_smoke_test: Annotated[bool | None, Field(description="Whether it passed its smoke test.")] = None
    go_version: Annotated[Prose, Field(description="The Go version it was built with.")] = ""
    platform: Annotated[Prose, Field(description="GOOS/GOARCH, like linux/amd64.")] = ""
    goos: Annotated[Prose, Field(description="The first half of `platform`.")] = ""
    goarch: Annotated[Prose, Field(description="The second half of `platform`.")] = ""
    irreversible: Annotated[bool, Field(description="Once it ran, nothing older may run again.")] = False
    cannot_go_back_past: Annotated[Prose, Field(description="The oldest release that may run after it.")] = ""
    notes: Annotated[Prose, Field(description="Anything else.")] = ""
    mark: Annotated[MarkWord | None, Field(description="unknown, known-good, suspect or known-bad.")] = None
    marked_by: Annotated[Prose, Field(description="Who says so.")] = ""
    marked_why: Annotated[Prose, Field(description="Why.")] = ""
    marked_at: Annotated[Time | None, Field(description="Since when.")] = None
    aliases: Annotated[
        Names, Field(default_factory=list, description="Other words for it: an image's tag or digest, a revision.")
    ]
    complete: Annotated[bool, Field(description="Whether it is whole on this instance.")] = True
    executable: Annotated[bool, Field(description="Whether it can be executed there.")] = True
    allowed: Annotated[bool, Field(description="Whether its name is one that may be chosen.")] = True
    unfit: Annotated[ReasonWord | None, Field(description="The reason for which the target cannot go there.")] = (
        None
    )
    note: Annotated[Prose, Field(description="What a person should know of it.")] = ""
    arrived: Annotated[Time | None, Field(description="When it came to this instance last.")] = None

    @model_validator(mode="before")
    @classmethod
    def _named_once(cls, value: Any) -> Any:
        if isinstance(value, dict) and "name" in value and "version" in value:
            say("`name` and `version` say the same; keep one")
        return value

    @model_validator(mode="after")
    def _one_platform(self) -> ReleaseFacts:
        if bool(self.goos) != bool(self.goarch):
            say("`goos` and `goarch` belong together; write both, or `platform: linux/amd64`")
        if self.goos and self.platform not in ("", f"{self.goos}/{self.goarch}"):
            say("`platform` and `goos`, `goarch` contradict each other; keep one")
        return self

    @property
    def described(self) -> bool:
        """Whether this says anything that a manifest says, beside the name."""
        said = self.model_fields_set - _OF_ONE_INSTANCE
        return bool(said - {"name", "service"})

    def manifest(self, service: str, now_ms: int) -> Manifest:
        """Return what the pipeline says of it."""
        return Manifest(
            service,
            self.name,
            commit=self.commit,
            digests=tuple(self.digests),
            artifact_sha256=self.artifact_sha256,
            built_at_ms=self.built_at.at(now_ms) if self.built_at else None,
            passed_smoke_test=self.passed_smoke_test,
            go_version=self.go_version,
            platform=self.platform or (f"{self.goos}/{self.goarch}" if self.goos else ""),
            irreversible=self.irreversible,
            cannot_go_back_past=self.cannot_go_back_past,
            notes=self.notes,
        )

    def marked(self, now_ms: int) -> Marked | None:
        """Return what is thought of it, where something is."""
        if self.mark is None:
            return None
        at_ms = self.marked_at.at(now_ms) if self.marked_at else None
        return Marked(self.mark, self.marked_by, self.marked_why, at_ms)

    def seen(self, at: int, registered: ReleaseFacts | None = None, names: Sequence[str] = ()) -> ReleaseSeen:
        """Return it as a look at the instance would have told, the `at`-th from the oldest.

        What is `registered` under its name says what its bits are, where this does not; `names` are further words.
        """
        words = (*self.aliases, *self.digests, self.commit, *names)
        return ReleaseSeen(
            self.name,
            (at,),
            complete=self.complete,
            executable=self.executable,
            allowed=self.allowed,
            aliases=tuple(dict.fromkeys(word for word in words if word and word != self.name)),
            unfit=self._unfit(),
            note=self.note,
            content=self.bits or (registered.bits if registered is not None else ""),
        )

    @property
    def bits(self) -> str:
        """What identifies its bits, where anything does."""
        return self.content or ",".join(sorted(self.digests)) or self.artifact_sha256

    def _unfit(self) -> Drop | None:
        return None if self.unfit is None else (self.unfit, f"{self.name} cannot be gone back to: {self.unfit}")


_OF_ONE_INSTANCE = {
    *("aliases", "complete", "executable", "allowed", "unfit", "note", "arrived", "content"),
    *("mark", "marked_by", "marked_why", "marked_at"),
}
