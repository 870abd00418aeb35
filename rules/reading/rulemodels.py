"""The rule file as a model: what each field may hold, what it defaults to, what it means.

The JSON Schema and the checks come from here. Whatever it does not know is refused by name, never ignored.
"""

from __future__ import annotations

import re
import typing
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema, model_validator

from rules.reading.fieldtypes import Duration, Prose, Section, SomeTime, Text, checked, one_of, say
from rules.reading.guardmodels import GuardsModel, RequirementModel
from rules.reading.releasemodels import USUAL_TO, ToEntry, with_words
from rules.reading.selectionmodels import TargetModel, WhenModel
from rules.reading.verifymodels import VerifyModel
from rules.reading.wavemodels import WavesField, WavesModel
from rules.rule import Mode, Pin, Restore, Retry, Rule

if typing.TYPE_CHECKING:
    from rules.to import To

OF_ONE_RULE = ("name", "description")
"""What no other rule can inherit."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_LONGEST_NAME = 63


def _rule_name(name: str) -> str | None:
    if len(name) > _LONGEST_NAME:
        return f"the name is longer than {_LONGEST_NAME} characters; shorten it"
    if not _NAME.fullmatch(name):
        return f"`{name}` cannot name a rule; use small letters, digits and -, like canary-errors"
    return None


class EvidenceModel(Section):
    """What is kept, because going back destroys it."""

    logs: Annotated[Duration, Field(description="How far back the logs are kept.")] = 1800.0


class BeforeModel(Section):
    """What happens before the first change."""

    require: Annotated[
        list[RequirementModel],
        Field(default_factory=list, description="What PromQL must say; where it does not, nothing is changed."),
    ]
    evidence: Annotated[EvidenceModel, Field(description="What is kept.")] = EvidenceModel()


class RetryModel(Section):
    """What happens when an attempt fails for a reason that may pass."""

    attempts: Annotated[int, Field(ge=1, le=100, description="How many attempts there are in all.")] = 5
    initial: Annotated[SomeTime, Field(description="The pause before the second attempt.")] = 2.0
    factor: Annotated[float, Field(ge=1, le=100, description="How much longer each pause is than the last.")] = 2.0
    max_: Annotated[SomeTime, Field(description="The longest pause.")] = 120.0

    @model_validator(mode="after")
    def _grows(self) -> RetryModel:
        if self.max_ < self.initial:
            say("`max` is shorter than `initial`; make it at least as long")
        return self

    def read(self) -> Retry:
        """Return it as the rest of the project sees it."""
        return Retry(self.attempts, self.initial, self.factor, self.max_)


class RuleModel(Section):
    """One rule: when, what, to which release, and how it is verified."""

    name: Annotated[
        Text,
        checked(_rule_name),
        Field(description="The rule's name, unique in all rule files."),
        WithJsonSchema({"type": "string", "pattern": f"^{_NAME.pattern}$", "maxLength": _LONGEST_NAME}),
    ]
    description: Annotated[Prose, Field(description="What it is for, for people.")] = ""
    mode: Annotated[
        Mode,
        one_of(Mode),
        Field(
            description="What the rule may do on its own: observe (say what it would do), ask a person, or act."
        ),
        WithJsonSchema({"enum": [mode.value for mode in Mode]}),
    ] = Mode.OBSERVE
    when: Annotated[WhenModel, Field(description="Which alerts the rule is about.")]
    target: Annotated[TargetModel, Field(description="Which instances the rule is about.")]
    to: Annotated[
        list[ToEntry],
        Field(
            default_factory=lambda: list(USUAL_TO),
            min_length=1,
            json_schema_extra=with_words,
            description="Releases to go back to, in order: the first that can be had is taken.",
        ),
    ]
    restore: Annotated[
        Restore,
        one_of(Restore, "template", "images"),
        Field(
            description="What of a release is brought back. Without it: the pod template; for same-as the images."
        ),
        WithJsonSchema({"enum": ["template", "images"]}),
    ] = Restore.AUTO
    pin: Annotated[
        Pin,
        one_of(Pin),
        Field(description="Whether images are named by their digest where their tag may have moved."),
        WithJsonSchema({"enum": [word.value for word in Pin]}),
    ] = Pin.AUTO
    before: Annotated[BeforeModel, Field(description="What happens before the first change.")] = BeforeModel()
    guards: Annotated[GuardsModel, Field(description="What keeps the rule from acting.")] = GuardsModel()
    waves: Annotated[
        WavesField,
        Field(description="Cumulative sizes in which a campaign grows: instances, or shares of it."),
    ] = WavesModel()
    verify: Annotated[VerifyModel, Field(description="How it is seen that going back helped.")] = VerifyModel()
    retry: Annotated[RetryModel, Field(description="How an attempt that failed is repeated.")] = RetryModel()
    notify: Annotated[
        list[Text], Field(default_factory=list, description="Channels of the settings that are told, by name.")
    ]

    def read(self, source: str) -> Rule:
        """Return it as the rest of the project sees it."""
        return Rule(
            name=self.name,
            description=self.description,
            mode=self.mode,
            when=self.when.read(),
            target=self.target.read(),
            to=typing.cast("tuple[To, ...]", tuple(self.to)),
            restore=self.restore,
            pin=self.pin,
            gitops=self.guards.gitops,
            require=tuple(one.read() for one in self.before.require),
            guards=self.guards.read(),
            waves=typing.cast("WavesModel", self.waves).read(),
            notify=tuple(self.notify),
            evidence_logs_s=self.before.evidence.logs,
            verify=self.verify.read(),
            retry=self.retry.read(),
            source=source,
        )


class RuleFileModel(Section):
    """Rules, and what they inherit."""

    version: typing.Literal["rules/v1"]
    defaults: dict[str, Any] = Field(default_factory=dict)
    rules: list[Any]
