"""The loop-breaker of a service holds its rules, and never a person; it is judged like any other guard."""

from __future__ import annotations

from dataclasses import replace

from testbed.judged import MINUTE, NOW, case

from rules.decisions import Outcome, Reason
from rules.facts import Book, Breaker, Pause
from rules.factsfile import parse_facts
from rules.judging import judge
from rules.services import Inventory

OPEN = Breaker("2 rollbacks in a row did not help: r1, r2", NOW - 5 * MINUTE, ("r1", "r2"))


def test_it_holds_every_rule_for_its_service_and_says_what_ends_it() -> None:
    found = judge(case(book=Book(breakers={"shop": OPEN})))
    assert (found.outcome, found.reason, found.wait, found.until_ms) == (
        Outcome.HOLD,
        Reason.LOOP_BREAKER,
        False,
        None,
    )
    assert "r1, r2" in found.detail
    assert "rollbackctl resume --service shop" in found.detail


def test_another_service_is_free() -> None:
    assert judge(case(book=Book(breakers={"blog": OPEN}))).outcome is Outcome.ROLL_BACK


def test_a_person_is_never_held_by_it() -> None:
    by_hand = replace(case(book=Book(breakers={"shop": OPEN})), alert=None)
    assert judge(by_hand).reason is not Reason.LOOP_BREAKER
    assert "loop-breaker" not in {answer.guard for answer in judge(by_hand).answers}


def test_a_pause_speaks_first() -> None:
    """A person's own word is the reason that is given, where both hold."""
    found = judge(case(book=Book(pauses=(Pause("", "kim"),), breakers={"shop": OPEN})))
    assert found.reason is Reason.PAUSED_BY_PERSON


def test_a_facts_file_can_say_so() -> None:
    """By name, with a reason, or whole: so a rule's test can express it."""
    for text in (
        "breakers: shop",
        "breakers: [shop]",
        "breakers: {shop: 2 rollbacks in a row did not help}",
        "breakers: {shop: {why: 2 rollbacks in a row did not help, at: -5m, rollbacks: [r1, r2]}}",
    ):
        book = parse_facts(text, "facts.yaml").world(Inventory({}), [], now_ms=NOW).book
        assert book.breakers["shop"].why == "2 rollbacks in a row did not help"
    assert book.breakers["shop"] == Breaker("2 rollbacks in a row did not help", NOW - 5 * MINUTE, ("r1", "r2"))
