"""The receiver: what is accepted is in the ledger, what is refused changed nothing; there is no third."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from hypothesis import strategies as st

from fuzz.asking import Answer, Face, face
from fuzz.bodies import POSTED, Posted
from fuzz.target import Check, Site, Target, hold
from rules.notifications import parse_timestamp

_STATUSES = frozenset({200, 202, 400, 413, 415})
_FINGERPRINT = re.compile(r"[0-9a-f]{1,32}")
_WANTED = {"alertname": "HighErrorRate", "severity": "critical"}
_PATH = b"/api/v1/alertmanager"
_KEYS_PER_ALERT = 8
"""An alert writes an episode, its rule's list, a wish, a bell; a few keys are there once for all of them."""


@contextmanager
def _opened(site: Site) -> Iterator[Check]:
    with face(site) as asked:
        sender = asked.bearer("alertmanager")

        def check(case: Sequence[Posted]) -> bool:
            asked.forget()
            seen: list[Any] = []
            accepted = False
            for posted in case:
                accepted = _post(asked, posted, sender, seen) or accepted
            keys = int(asked.redis.dbsize())
            hold(keys <= _KEYS_PER_ALERT * (len(seen) + 2), f"{keys} keys for {len(seen)} alerts")
            return accepted

        yield check


def _post(asked: Face, posted: Posted, sender: tuple[str, str], seen: list[Any]) -> bool:
    before = asked.writes()
    answer = asked.ask(
        *("POST", _PATH), headers=(*posted.headers, sender), body=posted.body, announced=posted.announced
    )
    told = answer.json()
    hold(answer.status in _STATUSES, f"answered {answer.status}: {told}")
    if answer.status >= 400:
        hold(asked.writes() == before, f"answered {answer.status}, and changed something")
        hold(isinstance(told.get("error"), str) and len(told["error"]) > 8, f"no sentence: {told}")
        return False
    alerts = json.loads(posted.body)["alerts"]
    bad = [at for at, one in enumerate(alerts) if not _is_well_formed(one)]
    hold(
        [one["index"] for one in told["bad"]] == bad[:100],
        f"what is told as bad is not what is: {bad} are, told is {told['bad']}",
    )
    good = [one for one in alerts if _is_well_formed(one)]
    seen += good
    _is_kept(asked, answer, told, good, seen)
    return True


def _is_kept(
    asked: Face, answer: Answer, told: Mapping[str, Any], good: Sequence[Any], seen: Sequence[Any]
) -> None:
    """Whatever a rule wants has an episode; where it came once only, with its labels, and somebody will look."""
    wanted = [one for one in good if one["status"] == "firing" and _is_wanted(one)]
    hold(answer.status == 202 or not wanted, f"{len(wanted)} alerts are wanted, and the answer is 200")
    hold(told["ignored"] == sum(one["status"] == "firing" for one in good) - len(wanted), f"ignored: {told}")
    often = Counter(one["fingerprint"] for one in seen)
    with asked.redis.pipeline(transaction=False) as pipe:
        for one in wanted:
            pipe.hgetall(f"rc:episode:{one['fingerprint']}")
        pipe.zcard("rc:due")
        *episodes, due = pipe.execute()
    for one, kept in zip(wanted, episodes, strict=True):
        hold(kept, f"accepted, and there is no episode of {one['fingerprint']}")
        if often[one["fingerprint"]] == 1:
            hold(kept["closed"] == "" and json.loads(kept["labels"]) == one["labels"], f"kept as {kept}")
            hold(any(name.startswith("rule:") for name in kept), f"nobody is asked about {kept}")
            hold(due, "nobody will look at it")


def _is_wanted(one: Mapping[str, Any]) -> bool:
    return all(one["labels"].get(name) == value for name, value in _WANTED.items())


def _is_well_formed(one: Any) -> bool:
    """Whether the reference page says that this alert can be read."""
    if not isinstance(one, dict) or one.get("status") not in ("firing", "resolved"):
        return False
    annotations = one.get("annotations")
    maps = (one.get("labels"), {} if annotations is None else annotations)
    if not all(isinstance(told, dict) and all(map(_is_text, told.items())) for told in maps):
        return False
    name = one.get("fingerprint")
    starts_at = parse_timestamp(one.get("startsAt"))
    named = isinstance(name, str) and _FINGERPRINT.fullmatch(name) is not None
    return named and starts_at is not None and starts_at > 0


def _is_text(entry: tuple[str, Any]) -> bool:
    return bool(entry[0]) and isinstance(entry[1], str)


RECEIVER = Target("receiver", 20, st.lists(POSTED, min_size=1, max_size=3), _opened)
