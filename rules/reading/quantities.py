"""The quantities of a rule's limits: shares, counts, queries, comparisons. Each says what is wrong with one."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema

from rules.limits import Condition
from rules.promql import PromqlTemplate
from rules.reading.fieldtypes import reads, say, text
from rules.templates import TemplateError

_SHARE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*%")
_TIMES = re.compile(r"([0-9]+(?:\.[0-9]+)?)x")
_CONDITION = re.compile(r"(<=|>=|==|!=|<|>)\s*(-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def share(value: Any) -> float:
    """Read a percentage, up to everything, as a share of 1."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        say(f"a share is written with its sign; write {value * 100 if 0 < value < 1 else value:g}%")
    written = text(value)
    found = _SHARE.fullmatch(written.strip())
    if found is None:
        say(f"`{written}` is no share; write a percentage, like 34%")
    percent = Decimal(found[1])
    return (
        float(percent / 100) if percent <= 100 else say(f"{written} is more than everything; write 100% at most")
    )


def some_share(value: float) -> float:
    """Refuse a share of nothing."""
    return value or say("a share of 0% allows nothing; to keep the rule from acting write `mode: observe`")


SHARE_SCHEMA = WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?\s*%$"})
Share = Annotated[float, reads(share), SHARE_SCHEMA]
"""A share of 1, written as a percentage."""
SomeShare = Annotated[float, reads(share), AfterValidator(some_share), SHARE_SCHEMA]
"""A share that is more than nothing."""


def count(value: Any) -> int:
    """Read a whole number, 1 or more."""
    if not isinstance(value, int) or isinstance(value, bool):
        say("this must be a whole number")
    if value <= 0:
        say(
            f"a limit of {value} would never let a rule act; write 1 or more. To stop one rule write "
            "`mode: observe`, to stop all for a while `rollbackctl pause`"
        )
    return value


Count = Annotated[int, reads(count), WithJsonSchema({"type": "integer", "minimum": 1})]
"""A whole number, 1 or more."""


def _promql(value: Any) -> str:
    written = text(value)
    if not written.strip():
        say("this is empty; write a query")
    try:
        PromqlTemplate(written)
    except TemplateError as error:
        say(str(error))
    return written


Promql = Annotated[str, reads(_promql), WithJsonSchema({"type": "string", "minLength": 1})]
"""A query, in which `{{ $labels.x }}` stands only as a whole quoted string."""


def times(value: Any) -> float:
    """Read a factor like `5x`, 1 or more."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        say(f"write how many times as {value}x")
    written = text(value)
    found = _TIMES.fullmatch(written)
    if found is None:
        say(f"`{written}` is not so many times; write it like 5x")
    return float(found[1]) if float(found[1]) >= 1 else say("less than once as bad is no sign; write 1x or more")


def wrong_label(name: str) -> str | None:
    """Check the name of a label of Prometheus' answers."""
    if _LABEL.fullmatch(name):
        return None
    return f"`{name}` cannot be a label of a query's answer; use letters, digits and _, like version"


def condition(value: Any) -> Condition:
    """Read a comparison with a number."""
    written = text(value).strip()
    found = _CONDITION.fullmatch(written)
    if found is None:
        say(f'`{written}` is no comparison with a number; write one like "< 30" (or <=, >, >=, ==, !=)')
    return Condition(found[1], float(found[2]))
