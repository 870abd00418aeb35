"""The settings' `policy:`, read into what the guards ask."""

from __future__ import annotations

from typing import Annotated, Any

from rules.limits import Policy
from rules.reading.fieldtypes import reads
from rules.reading.policymodels import PolicyModel


def _policy(value: Any) -> Policy:
    return value if isinstance(value, Policy) else PolicyModel.model_validate(value).read()


PolicyField = Annotated[Policy, reads(_policy)]
"""A policy, written as `PolicyModel` says."""
