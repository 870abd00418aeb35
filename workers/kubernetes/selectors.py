"""Label selectors: as text for the API, and matched here. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.kubernetes.marks import Json


def selector_text(selector: Json) -> str:
    """Return a workload's own `spec.selector`, which the API server has checked, as a query wants it."""
    parts = [f"{name}={value}" for name, value in sorted((selector.get("matchLabels") or {}).items())]
    for wanted in selector.get("matchExpressions") or ():
        key, values = wanted["key"], ",".join(wanted.get("values") or ())
        match wanted["operator"]:
            case "In":
                parts.append(f"{key} in ({values})")
            case "NotIn":
                parts.append(f"{key} notin ({values})")
            case "Exists":
                parts.append(key)
            case _:
                parts.append(f"!{key}")
    return ",".join(parts)


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether a plain selector selects these labels; an empty one selects nothing, as a Service's does not."""
    return bool(selector) and all(labels.get(name) == value for name, value in selector.items())
