"""The little PromQL that is written here. A label's value stands only as a whole quoted, escaped string."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def selector(metric: str, labels: Mapping[str, str]) -> str:
    """Select a metric's series by labels. Raises `ValueError` for a label that PromQL has no name for.

    PromQL's escapes are Go's, and JSON's are among them: a value cannot end before its closing quote.
    """
    if wrong := [name for name in labels if not _NAME.fullmatch(name)]:
        raise ValueError(f"{wrong[0]!r} cannot be a label in PromQL; select by another one")
    wanted = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels.items())
    return f"{metric}{{{', '.join(wanted)}}}"
