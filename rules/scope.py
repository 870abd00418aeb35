"""What a rule selects, asked again of the live instance: labels change while a rollback waits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from rules.decisions import Reason

if TYPE_CHECKING:
    from rules.observations import Drop

EVERY = "*"
"""As a namespace: every one of the cluster; as a selector: every workload. Written on purpose only."""

Wanted: TypeAlias = Mapping[str, Collection[str]]
"""Label → the values that are meant; a label that is missing is an empty one."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The labels that an instance must carry, and must not. An empty one takes every instance."""

    only: Wanted
    except_: Wanted

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Tell whether these labels pass."""
        wanted = all(labels.get(label, "") in values for label, values in self.only.items())
        unwanted = any(labels.get(label, "") in values for label, values in self.except_.items())
        return wanted and not unwanted

    def leaves_out(self, labels: Mapping[str, str], own: Mapping[str, str]) -> Drop | None:
        """Say why an instance is not meant, None where it is.

        `own` are labels that it says of itself beside those that count; where they differ, nobody can tell.
        """
        for label in sorted({*self.only, *self.except_}):
            if label in own and own[label] != labels.get(label, ""):
                detail = (
                    f"it is labelled {label}={own[label]}, and its pods {label}={labels.get(label) or '(nothing)'}"
                )
                return Reason.LABELS_CONTRADICT, f"{detail}; make them agree, then it is clear whether it is meant"
        if self.selects(labels):
            return None
        asked = dict.fromkeys((*self.only, *self.except_))
        seen = ", ".join(f"{label}={labels.get(label) or '(nothing)'}" for label in asked)
        return Reason.NOT_SELECTED, f"it carries {seen} by now, which the rule does not select"
