"""`rollbackctl show`: a record and its journal, told from top to bottom, with what to do next for every state."""

from __future__ import annotations

from typing import Any

import pytest

from controller.cli.evidence import evidence_lines
from controller.cli.records import next_step, subject
from controller.cli.stories import journal_lines
from controller.cli.times import ago, offset, parse, span
from controller.ledger import End, State

OPENED_MS = 1_795_232_876_000
RECORD: dict[str, Any] = {
    "id": "r1",
    "instance": "hosts/default/shop/web2",
    "service": "shop",
    "host": "web2",
    "state": "ended",
    "outcome": "recovered",
    "reason": "cleared",
    "from": "v1.3.0",
    "to": "v1.2.0",
    "opened_at": "2026-11-21T03:47:56.000Z",
    "ended_at": "2026-11-21T03:48:58.500Z",
    "journal": [],
}
CHOSEN = [
    {"release": "v1.2.1", "kept": False, "reason": "release-incomplete", "detail": ""},
    {"release": "v1.2.0", "kept": True, "reason": "allowed", "detail": "older and whole"},
]


def _entry(kind: str, after_ms: int, **facts: Any) -> dict[str, Any]:
    return {"kind": kind, "at": OPENED_MS + after_ms, "fence": 1, **facts}


def _step(kind: str, after_ms: int, step: int, does: str, **facts: Any) -> dict[str, Any]:
    return _entry(kind, after_ms, phase="plan", step=step, does=does, **facts)


def test_begun_and_done_of_a_step_are_one_line_with_its_time() -> None:
    """What was begun and not seen to end stands out; takeovers and ways back are told."""
    journal = [
        _entry("prepared", 20, candidates=CHOSEN, evidence={}),
        _step("intent", 30, 0, "switch the link", before={}),
        _step("done", 63, 0, "switch the link", seen={}),
        _step("intent", 70, 1, "restart shop.service", before={}),
        _entry("taken-over", 9_000, state="acting"),
        _step("done", 9_500, 1, "restart shop.service", seen={"found": "done already"}),
        _step("intent", 9_600, 2, "see it healthy", before={}),
    ]
    assert journal_lines({**RECORD, "journal": journal}) == [
        "  +0.000 s  opened",
        "  +0.020 s  looked at the target, kept the evidence, chose v1.2.0 (older and whole)",
        "  +0.063 s  switch the link (33 ms)",
        "  +9.000 s  taken over by another worker while acting",
        "  +9.500 s  restart shop.service (done already) (9.43 s)",
        "  +9.600 s  begun, not seen to end: see it healthy",
        "+1 min 2 s  ended: recovered (cleared)",
    ]


def test_evidence_is_a_summary() -> None:
    """The last lines of a log, short facts in one line, nothing for what is empty."""
    log = "\n".join(f"line {n}" for n in range(50))
    evidence = {"unit": None, "restarts": 3, "state": {"ActiveState": "failed", "Result": ""}, "log": log}
    lines = evidence_lines({**RECORD, "journal": [_entry("prepared", 1, candidates=[], evidence=evidence)]})
    assert lines == [
        "restarts: 3",
        "state: ActiveState=failed",
        "log, the last of 50 lines:",
        *(f"  line {n}" for n in range(40, 50)),
    ]


def test_evidence_of_pods_is_their_reason_their_last_words_and_the_events() -> None:
    """Each line whole; what is empty is left out."""
    said = "shop bad: cannot " + "reach the database at db-0.db.shop.svc:5432, " * 4
    evidence = {
        "pods": [
            {"pod": "db-2", "why": "crashes", "restarts": 3, "logs": {"app (previous)": f"start\n{said}\n"}},
            {"pod": "db-3", "why": "", "restarts": 0, "logs": {"app (current)": None}},
        ],
        "failing": 2,
        "events": [
            {"about": "pod db-2", "reason": "BackOff", "message": "Back-off restarting", "count": 1, "last": "x"}
        ],
        "unavailable": [],
    }
    assert evidence_lines({**RECORD, "journal": [_entry("prepared", 1, candidates=[], evidence=evidence)]}) == [
        "failing: 2",
        "pod db-2: crashes, 3 restarts",
        "  app (previous), 2 lines:",
        "    start",
        f"    {said}",
        "pod db-3: not ready",
        "pod db-2: BackOff: Back-off restarting",
    ]


@pytest.mark.parametrize(
    "seen", [{"event": None, "why": "create events: not allowed"}, {"stripped": False, "why": "x"}]
)
def test_a_step_that_could_not_be_done_does_not_read_as_done(seen: dict[str, Any]) -> None:
    """It fails no rollback, and says why."""
    journal = [_step("done", 63, 0, "say so in an Event", seen=seen)]
    (line,) = [line for line in journal_lines({**RECORD, "journal": journal}) if "Event" in line]
    assert line.endswith(f"not done, and nothing depends on it: say so in an Event: {seen['why']}")


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("paused", "`kubectl rollout resume statefulset/db -n shop`, then try again; `rollbackctl"),
        ("gitops-owned", "or add `--gitops force`; `rollbackctl"),
        ("first-release", "Add `--to same-as:track=stable`"),
        ("forbidden", "Nothing was changed. Mend what the reason names; `rollbackctl"),
    ],
)
def test_what_to_do_about_a_refusal_is_said_in_words_of_the_command_line(reason: str, says: str) -> None:
    """Whoever acts by hand has no rule to change."""
    record = {**RECORD, "instance": "kubernetes/eu/shop/statefulset/db", "outcome": "refused", "reason": reason}
    assert says in next_step(record)
    assert "mend" in next_step({**RECORD, "outcome": "refused", "reason": reason}).lower()


@pytest.mark.parametrize(
    ("state", "outcome"), [*((s, "") for s in State if s is not State.ENDED), *(("ended", o) for o in End)]
)
def test_every_state_and_outcome_says_what_to_do(state: str, outcome: str) -> None:
    """Nobody is left alone with a word."""
    said = next_step({**RECORD, "state": state, "outcome": outcome})
    assert said != "Look at the log of the workers."
    assert said.endswith((".", "`."))


def test_the_subject_says_what_goes_where() -> None:
    """As far as it is known."""
    assert subject(RECORD) == "shop on web2: v1.3.0 → v1.2.0"
    assert subject({**RECORD, "from": "", "to": ""}) == "shop on web2"


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3_725, "1 h 2 min"), (90_000, "1 d 1 h")]
)
def test_times_are_said_with_their_two_largest_units(seconds: float, said: str) -> None:
    """A person reads minutes, not 3725 seconds."""
    assert span(seconds) == said


def test_ago_and_offset() -> None:
    """Milliseconds matter in the first minute only."""
    assert ago("2026-11-21T03:47:56.000Z", parse("2026-11-21T03:49:56Z")) == "2 min ago"
    assert ago(None, parse("2026-11-21T03:49:56Z")) == "-"
    assert (offset(0.0123), offset(61)) == ("+0.012 s", "+1 min 1 s")


def test_a_workload_is_named_as_people_name_it() -> None:
    """And the command that tries again says where it is."""
    record = {**RECORD, "instance": "kubernetes/eu/shop/statefulset/db", "service": "db", "host": ""}
    assert subject(record) == "statefulset db in shop (cluster eu): v1.3.0 → v1.2.0"
    again = next_step({**record, "outcome": "failed"})
    assert "`rollbackctl rollback db --instance statefulset/db -n shop --cluster eu`" in again
