"""Which releases a rule goes back to, as models of its YAML."""

from __future__ import annotations

import typing
from typing import Annotated, Any, TypeAlias

from pydantic import Field, WrapValidator

from rules.reading.fieldtypes import AnyOf, Section, Text, checked, say, text
from rules.reading.kubernetesmodels import LabelKey
from rules.reading.wording import near_miss
from rules.services import is_safe_name
from rules.to import LastKnownGood, Previous, SameAs, ScaleToZero, Stable, To, Version

if typing.TYPE_CHECKING:
    from pydantic import ValidatorFunctionWrapHandler

_WORDS: typing.Mapping[str, type[LastKnownGood | Previous | Stable | ScaleToZero]] = {
    "last-known-good": LastKnownGood,
    "previous": Previous,
    "stable": Stable,
    "scale-to-zero": ScaleToZero,
}
USUAL_TO: tuple[To, ...] = (LastKnownGood(),)
"""Where a rule goes back to that says nothing else."""


def _release(name: str) -> str | None:
    if "{{" in name:
        return "templates are not looked up here; write the release's name"
    if not is_safe_name(name):
        return f"`{name}` cannot name a release: no /, no control character, no - or . first, 255 bytes at most"
    return None


class VersionModel(Section):
    """One release by its name."""

    version: Annotated[
        Text,
        checked(_release),
        Field(description="The release's name; of a workload, its version, image tag, digest or revision too."),
    ]


class SameAsModel(Section):
    """The images that another workload of the service runs."""

    same_as: Annotated[
        dict[LabelKey, AnyOf],
        Field(min_length=1, description="Labels of that workload's pod template; a list means any of these."),
    ]


def _to(value: Any, _: ValidatorFunctionWrapHandler) -> To:
    if isinstance(value, dict):
        return _described(value)
    written = text(value)
    if written == "same-as":
        say("`same-as` needs labels; write {same-as: {track: stable}}")
    if written not in _WORDS:
        hint = near_miss(written, _WORDS) or f"; for a release's name write {{version: {written}}}"
        say(f"`{written}` is not known here{hint}")
    return _WORDS[written]()


def _described(value: dict[str, Any]) -> To:
    if word := next((key for key in _WORDS if key in value), None):
        say(f"`{word}` stands alone; write {word}")
    if any(str(key).lower().startswith("same") for key in value):
        same = SameAsModel.model_validate(value).same_as
        return SameAs({label: tuple(values) for label, values in same.items()})
    return Version(VersionModel.model_validate(value).version)


def with_words(schema: dict[str, Any]) -> None:
    """Add the entries that are one word to the schema of the list, and what it is by default."""
    schema["default"] = ["last-known-good"]
    schema["items"] = {"anyOf": [*({"const": word} for word in _WORDS), *schema["items"]["anyOf"]]}


ToEntry: TypeAlias = Annotated[VersionModel | SameAsModel, WrapValidator(_to)]
"""One entry of `to`; what is read is a `rules.rule.To`."""
