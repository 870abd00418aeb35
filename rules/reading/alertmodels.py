"""An alert as people and programs write it in a file: in the words of Alertmanager's webhook and API."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field

from rules.alerts import Alert
from rules.reading.factfields import FactSection, Labels, Moment, Time
from rules.reading.fieldtypes import Prose

_NOW = Moment(0, relative=True)


class AlertModel(FactSection):
    """An alert, in the words of Alertmanager's webhook. Only its labels are needed."""

    status: Annotated[Literal["firing", "resolved"], Field(description="firing or resolved.")] = "firing"
    labels: Annotated[Labels, Field(description="All of its labels.")]
    annotations: Annotated[Labels, Field(default_factory=dict, description="Its annotations.")]
    starts_at: Annotated[
        Time,
        Field(
            validation_alias=AliasChoices("startsAt", "starts-at", "starts_at"),
            description="When it began to fire, after the alerting rule's `for`.",
        ),
    ] = _NOW
    ends_at: Annotated[
        Any, Field(validation_alias=AliasChoices("endsAt", "ends-at", "ends_at"), description="Without meaning.")
    ] = None
    generator_url: Annotated[
        Prose,
        Field(
            validation_alias=AliasChoices("generatorURL", "generator-url", "generator_url"),
            description="Where Prometheus shows it.",
        ),
    ] = ""
    fingerprint: Annotated[Prose, Field(description="Alertmanager's hash of it; made up if it is left out.")] = ""

    def read(self, at: int, now_ms: int) -> Alert:
        """Return it as the rest of the project sees it; `at` makes a fingerprint up where there is none."""
        return Alert(
            self.fingerprint or f"{at:016x}",
            self.status,
            self.labels,
            self.annotations,
            self.starts_at.at(now_ms),
            self.generator_url,
        )
