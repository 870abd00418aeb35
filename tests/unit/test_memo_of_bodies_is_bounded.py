"""What a body led to is remembered under the rules that led there, within a bound of bytes."""

from __future__ import annotations

from controller.web.memos import Memo

RULES, OTHER_RULES = object(), object()


def test_the_same_body_under_the_same_rules_is_remembered() -> None:
    """And another body is not."""
    memo: Memo[str] = Memo()
    memo.put(memo.key(b"body"), RULES, "prepared", 100)
    assert memo.get(memo.key(b"body"), RULES) == "prepared"
    assert memo.get(memo.key(b"other"), RULES) is None


def test_other_rules_forget_everything() -> None:
    """What matched under the old rules says nothing about the new ones."""
    memo: Memo[str] = Memo()
    memo.put(memo.key(b"body"), RULES, "old", 100)
    assert memo.get(memo.key(b"body"), OTHER_RULES) is None
    memo.put(memo.key(b"other"), OTHER_RULES, "new", 100)
    assert memo.get(memo.key(b"body"), RULES) is None
    assert memo.get(memo.key(b"body"), OTHER_RULES) is None


def test_what_was_not_used_for_longest_goes_first() -> None:
    """Reading counts as using."""
    memo: Memo[int] = Memo(bound_bytes=1000)
    keys = [memo.key(b"%d" % number) for number in range(5)]
    for number in range(4):
        memo.put(keys[number], RULES, number, 250)
    assert memo.get(keys[0], RULES) == 0
    memo.put(keys[4], RULES, 4, 250)
    assert [memo.get(key, RULES) for key in keys] == [0, None, 2, 3, 4]


def test_putting_the_same_body_again_takes_no_more_room() -> None:
    """Two threads that prepared the same body at once both put it."""
    memo: Memo[int] = Memo(bound_bytes=1000)
    for _ in range(10):
        memo.put(memo.key(b"a"), RULES, 1, 250)
    memo.put(memo.key(b"b"), RULES, 2, 250)
    assert [memo.get(memo.key(b"a"), RULES), memo.get(memo.key(b"b"), RULES)] == [1, 2]


def test_one_large_body_does_not_push_out_the_others() -> None:
    """Nor is it remembered itself."""
    memo: Memo[int] = Memo(bound_bytes=1000)
    memo.put(memo.key(b"small"), RULES, 1, 100)
    memo.put(memo.key(b"large"), RULES, 2, 900)
    assert (memo.get(memo.key(b"small"), RULES), memo.get(memo.key(b"large"), RULES)) == (1, None)
