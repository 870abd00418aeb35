"""Alerts as rules meet them: labels of real ones, with values that nobody thought of."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import strategies as st
from testbed.web_face import CANARY

from fuzz.corpus import values
from fuzz.trees import WORDS
from rules.alerts import Alert

_SAID = ("cluster", "namespace", "pod", "deployment", "workload", "service", "job", "version", "a.b", "é")
_NAMES = (*CANARY, *_SAID)
_TEXTS = st.sampled_from(WORDS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
"""Half of a surrogate pair is no JSON that the receiver reads."""


@cache
def _real() -> list[dict[str, str]]:
    found: list[dict[str, str]] = [CANARY]
    for one in (*values().get("labels", ()), *values().get("alert", ())):
        labels: Any = one.get("labels", one) if isinstance(one, dict) else {}
        if labels and all(isinstance(value, str) for value in labels.values()):
            found.append(dict(labels))
    return found


LABELS = st.builds(
    lambda base, more: _real()[base % len(_real())] | more,
    st.integers(0, 999),
    st.dictionaries(st.sampled_from(_NAMES) | st.text(max_size=4, min_size=1), _TEXTS, max_size=3),
)

ALERTS = st.lists(
    st.builds(
        Alert,
        fingerprint=st.sampled_from(["1", "2", "c4b3a29100000001"]),
        status=st.sampled_from(["firing", "firing", "resolved"]),
        labels=LABELS,
        annotations=st.dictionaries(st.sampled_from(["summary", "a", "version"]), _TEXTS, max_size=2),
        starts_at_ms=st.integers(1_700_000_000_000, 1_800_000_000_000) | st.sampled_from([1, 253_402_300_799_999]),
    ),
    max_size=3,
)
