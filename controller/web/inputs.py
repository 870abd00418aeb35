"""What the JSON API takes, as strict models: an unknown field is an error, never ignored."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeGuard, TypeVar

from flask import Request
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError, model_validator

from controller.web.bodies import read_body
from controller.web.refusals import Refusal
from rules.choosing.fitness import OVERRIDES
from rules.durations import parse_duration, write_duration
from rules.guards import BIND_PERSONS
from rules.to import SameAs, Version, read_to, write_to
from rules.to import To as ToEntry

MOST_BYTES = 64 * 1024
"""No request of the API needs more; notifications have a limit of their own."""

M = TypeVar("M", bound=BaseModel)

Name = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[^/\x00-\x1f]+$")]
Sentence = Annotated[str, Field(max_length=1000)]
Why = Annotated[str, Field(min_length=1, max_length=1000)]
"""Where somebody else will ask why: it cannot be left out."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


_WRITE_TO = (
    'write "previous", "last-known-good", "stable", "scale-to-zero", {"version": RELEASE} or '
    '{"same-as": {LABEL: VALUE}}, with names that hold no slash and no control characters'
)
_NAME = re.compile(r"[^/\x00-\x1f]{1,253}")


def _entry_of_to(written: object) -> object:
    """Check one entry in words of our own, and return it as a rule file writes it."""
    try:
        entry = read_to(written) if isinstance(written, str) or _is_single(written) else None
    except (ValueError, TypeError):
        entry = None
    if entry is None:
        raise ValueError(f"{json.dumps(written)[:80]} is no place to go back to: {_WRITE_TO}")
    for name in _names_in(entry):
        if not (isinstance(name, str) and _NAME.fullmatch(name)):
            raise ValueError(f"{json.dumps(name)[:80]} names no release and no label's value: {_WRITE_TO}")
    return write_to(entry)


def _is_single(written: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(written, dict) and len(written) == 1


def _names_in(entry: ToEntry) -> tuple[str, ...]:
    match entry:
        case Version():
            return (entry.version,)
        case SameAs():
            return tuple(value for values in entry.labels.values() for value in values) or ("",)
        case _:
            return ()


To = Annotated[list[Annotated[Any, PlainValidator(_entry_of_to)]], Field(min_length=1, max_length=20)]
"""Where to go back to, in order; the first that can be had is chosen."""

Instances = Annotated[list[Annotated[str, Field(min_length=1, max_length=800)]], Field(min_length=1)]


WAIVABLE = BIND_PERSONS | {*OVERRIDES, *OVERRIDES.values()}


def _waivable(name: object) -> str:
    if not isinstance(name, str) or name not in WAIVABLE:
        there = ", ".join(sorted({*BIND_PERSONS, *OVERRIDES.values()}))
        raise ValueError(f"{json.dumps(name)[:60]} is nothing that a person sets aside; write one of {there}")
    return str(name)


Overridden = Annotated[list[Annotated[str, PlainValidator(_waivable)]], Field(max_length=40)]
"""Guards, and reasons against a release, that a person sets aside by name."""

_USUAL = {"restore": "auto", "pin": "auto", "gitops": "refuse", "when_paused": "hold"}


class RollbackAsked(_Strict):
    """A person asks for instances of one service to go back."""

    service: Name
    instances: Instances | None = None
    only: Annotated[dict[str, Name | list[Name]], Field(min_length=1)] | None = None
    all: bool = False
    cluster: Name | None = None
    namespace: Name | None = None
    to: To = ["previous"]
    restore: Literal["auto", "template", "images"] = "auto"
    pin: Literal["auto", "never"] = "auto"
    gitops: Literal["refuse", "pause", "force"] = "refuse"
    when_paused: Literal["hold", "resume"] = "hold"
    override: Overridden = []
    reason: Sentence = ""
    dry_run: bool = False

    @model_validator(mode="after")
    def _one_selection(self) -> RollbackAsked:
        if sum((self.instances is not None, self.only is not None, self.all)) != 1:
            raise ValueError("say exactly one of `instances`, `only` or `all: true`")
        return self

    @property
    def means_workloads(self) -> bool:
        """Whether workloads are meant, whatever the inventory has."""
        named = any("/" in name and not name.startswith("hosts/") for name in self.instances or ())
        return named or self.cluster is not None or self.namespace is not None

    @property
    def spec(self) -> dict[str, Any]:
        """What the record keeps of it. What a person names is taken although it was just rolled back from."""
        said = {name: getattr(self, name) for name in _USUAL}
        usual = {"to": self.to, "override": True, **{k: v for k, v in said.items() if v != _USUAL[k]}}
        return {**usual, "overridden": sorted(set(self.override))} if self.override else usual


def is_taken(asked: Mapping[str, Any], goes: Mapping[str, Any]) -> bool:
    """Whether a rollback that was there already goes by all that a person asks for."""
    usual: dict[str, Any] = {"to": ["previous"], "overridden": [], **_USUAL}
    if any(isinstance(entry, dict) and "version" in entry for entry in asked["to"]):
        usual["override"] = False
    return all(asked.get(name, other) == goes.get(name, other) for name, other in usual.items())


class PlansAsked(_Strict):
    """Somebody asks what going back would take now; nothing is changed."""

    instances: Annotated[Instances, Field(max_length=100)]
    to: To = ["previous"]


class Said(_Strict):
    """A person does what the path says, and may say why."""

    reason: Sentence = ""


class ApproveAsked(_Strict):
    """A person says yes to what a rule asks. `to` is the release they read of; another is not approved by it."""

    reason: Sentence = ""
    to: Annotated[str, Field(max_length=253)] = ""


class DenyAsked(_Strict):
    """A person says no to what a rule asks; whoever wrote the rule learns why."""

    reason: Why


class UndoAsked(_Strict):
    """A person takes a rollback back. `false_alarm`: the rule was wrong, and may only ask from now on."""

    reason: Sentence = ""
    false_alarm: bool = False
    override: Overridden = []


def _between(least_s: float, most_s: float) -> PlainValidator:
    def seconds(written: object) -> float:
        if not isinstance(written, str):
            raise ValueError("write a duration like 30s, 4h or 2d")  # noqa: TRY004 - pydantic's word for it
        found = parse_duration(written)
        if not least_s <= found <= most_s:
            raise ValueError(f"{written} is not between {write_duration(least_s)} and {write_duration(most_s)}")
        return found

    return PlainValidator(seconds)


_DAY_S = 86_400
Ttl = Annotated[float, _between(5, 3600)]
"""How long a lock holds without being renewed: a holder that died gives way after it."""
LOCKED_FOR_S = 60.0


class PauseAsked(_Strict):
    """A person stops rules: all (`scope` empty), `service NAME` or `rule NAME`; without `for`, until resumed."""

    scope: Annotated[str, Field(max_length=260, pattern=r"^$|^(service|rule) [^/\x00-\x1f]+$")] = ""
    for_: Annotated[Annotated[float, _between(1, 90 * _DAY_S)] | None, Field(alias="for")] = None
    reason: Why


class ResumeAsked(_Strict):
    """A person ends a pause; `all` ends every one."""

    scope: Annotated[str, Field(max_length=260)] = ""
    all: bool = False
    reason: Sentence = ""


class OwnerAsked(_Strict):
    """A person lets a GitOps owner go on that a rollback has paused, as `CLUSTER/KIND/NAMESPACE/NAME`."""

    owner: Annotated[str, Field(min_length=1, max_length=800)]
    reason: Sentence = ""


class LockAsked(_Strict):
    """Somebody deploys a service now."""

    reason: Sentence = ""
    ttl: Ttl = LOCKED_FOR_S


class RenewAsked(_Strict):
    """The holder of a lock is still there."""

    token: Annotated[str, Field(min_length=1, max_length=100)]
    ttl: Ttl = LOCKED_FOR_S


class UnlockAsked(_Strict):
    """The holder of a lock is done; or, with `force`, a person takes it away."""

    token: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    force: bool = False
    reason: Sentence = ""

    @model_validator(mode="after")
    def _one_way(self) -> UnlockAsked:
        if (self.token is None) is not self.force:
            raise ValueError("say either the lock's `token`, or `force: true` to take it away from its holder")
        return self


def read_input(request: Request, model: type[M]) -> M:
    """Read the body as `model`; raises a 400 `Refusal` that names the first wrong field."""
    body = read_body(request, MOST_BYTES)
    try:
        return model.model_validate_json(body or b"{}")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "body"
        raise Refusal(400, f"{field}: {first['msg'].removeprefix('Value error, ')}", field=field) from error


def read_count(request: Request, name: str, *, default: int, most: int) -> int:
    """Read a page size from the query; raises a 400 `Refusal` outside 1 to `most`."""
    text = request.args.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= most):
        raise Refusal(400, f"{name} must be a whole number from 1 to {most}", field=name)
    return int(text)
