"""What the JSON API takes, as strict models: an unknown field is an error, never ignored."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from flask import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from controller.web.bodies import read_body
from controller.web.refusals import Refusal

MOST_BYTES = 64 * 1024
"""No request of the API needs more; notifications have a limit of their own."""

M = TypeVar("M", bound=BaseModel)

Name = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[^/\x00-\x1f]+$")]
Sentence = Annotated[str, Field(max_length=1000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Version(_Strict):
    """A release by its name."""

    version: Name


To = Annotated[list[Literal["previous"] | Version], Field(min_length=1, max_length=20)]
"""Where to go back to, in order; the first that can be had is chosen."""


class RollbackAsked(_Strict):
    """A person asks for instances of one service to go back."""

    service: Name
    instances: Annotated[list[Annotated[str, Field(min_length=1, max_length=800)]], Field(min_length=1)] | None = (
        None
    )
    only: Annotated[dict[str, Name | list[Name]], Field(min_length=1)] | None = None
    all: bool = False
    to: To = ["previous"]
    reason: Sentence = ""
    dry_run: bool = False

    @model_validator(mode="after")
    def _one_selection(self) -> RollbackAsked:
        if sum((self.instances is not None, self.only is not None, self.all)) != 1:
            raise ValueError("say exactly one of `instances`, `only` or `all: true`")
        return self


class PlansAsked(_Strict):
    """Somebody asks what going back would take now; nothing is changed."""

    instances: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=800)]], Field(min_length=1, max_length=100)
    ]
    to: To = ["previous"]


class CancelAsked(_Strict):
    """A person cancels a rollback."""

    reason: Sentence = ""


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
