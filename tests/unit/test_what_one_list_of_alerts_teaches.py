"""What Alertmanager lists is learned in two looks, and what it lacks is over in two, far enough apart."""

from __future__ import annotations

import pytest

from controller.ledger.relearned import Unresolved
from rules.alerts import Alert
from workers.absence import Memory, Taught
from workers.monitoring.alertmanager import Firing

MINUTE_MS = 60_000


def memory() -> Memory:
    """Return one with the default numbers."""
    return Memory(drift_s=60, absent_s=60)


def fires(fingerprint: str = "a", *, since_ms: int = 0, **flags: bool) -> Firing:
    """Return an alert as Alertmanager lists it."""
    alert = Alert(fingerprint, "firing", {"alertname": "A"}, {}, since_ms, "")
    return Firing(alert, **flags)


def open_one(fingerprint: str = "a", *, heard_ms: int = 0, listed: bool = True) -> Unresolved:
    """Return an open episode that began at 0."""
    return Unresolved(fingerprint, 0, heard_ms, 0, listed)


def names(taught: Taught) -> tuple[list[str], list[str], list[str]]:
    """Return what is heard, kept and lacking."""
    found = [a.fingerprint for a in taught.heard], [a.fingerprint for a in taught.kept]
    return *found, [one.fingerprint for one in taught.lacking]


KEPT_BACK: list[dict[str, bool]] = [
    {"silenced": True},
    {"inhibited": True},
    {"muted": True},
    {"processed": False},
]


def test_an_alert_without_an_episode_is_learned_at_the_second_look() -> None:
    """Its notification may be on its way at the first: until then nothing counts as known whole."""
    looks = memory()
    first = looks.teach([fires()], {})
    second = looks.teach([fires()], {})
    assert (names(first), first.whole) == (([], [], []), False)
    assert (names(second), second.whole) == ((["a"], [], []), True)


@pytest.mark.parametrize("flags", KEPT_BACK)
def test_what_nobody_is_told_of_opens_nothing(flags: dict[str, bool]) -> None:
    """Who silenced an alert wants no rollback for it, however often it is seen."""
    looks = memory()
    for _ in range(3):
        assert names(looks.teach([fires(**flags)], {})) == ([], [], [])


@pytest.mark.parametrize("flags", KEPT_BACK)
def test_what_nobody_is_told_of_keeps_its_episode_open(flags: dict[str, bool]) -> None:
    """It fires none the less."""
    assert names(memory().teach([fires(**flags)], {"a": open_one()})) == ([], ["a"], [])


def test_a_silenced_alert_that_fires_anew_is_not_the_one_that_is_open() -> None:
    """The old firing is over, and the new one is nobody's business."""
    looks = memory()
    assert names(looks.teach([fires(since_ms=5 * MINUTE_MS, silenced=True)], {"a": open_one()})) == ([], [], ["a"])


def test_where_routes_keep_alerts_back_and_nobody_says_which_none_is_learned() -> None:
    """Older versions do not tell; an episode that is open stays so."""
    looks = memory()
    for _ in range(3):
        taught = looks.teach([fires("a"), fires("b")], {"b": open_one("b")}, may_keep_back=True)
        assert names(taught) == ([], ["b"], [])
    assert names(looks.teach([fires("a", muted=False)], {}, may_keep_back=True)) == ([], [], [])
    assert names(looks.teach([fires("a", muted=False)], {}, may_keep_back=True)) == (["a"], [], [])


def test_an_episode_that_was_never_listed_is_not_missed() -> None:
    """Another Alertmanager may have told us of it."""
    taught = memory().teach([], {"a": open_one(listed=False), "b": open_one("b")})
    assert names(taught) == ([], [], ["b"])


def test_an_episode_is_over_when_two_looks_a_minute_apart_lack_it() -> None:
    """Not before, and the minute begins anew when it is listed in between."""
    looks, one = memory(), open_one()
    assert looks.over([one], 1 * MINUTE_MS) == ()
    assert looks.over([one], 2 * MINUTE_MS - 1) == ()
    assert looks.over([one], 2 * MINUTE_MS) == (one,)
    assert looks.over([], 3 * MINUTE_MS) == ()
    assert looks.over([one], 4 * MINUTE_MS) == ()


@pytest.mark.parametrize("forget", ["doubt", "forget"])
def test_a_look_that_proves_nothing_begins_anew(forget: str) -> None:
    """An Alertmanager that did not answer, or had just started, or another machine's turn."""
    looks, one = memory(), open_one()
    assert looks.over([one], 1 * MINUTE_MS) == ()
    getattr(looks, forget)()
    assert looks.over([one], 2 * MINUTE_MS) == ()
    assert looks.over([one], 3 * MINUTE_MS) == (one,)


def test_where_we_were_told_of_one_that_is_not_listed_none_is_over() -> None:
    """Then the one who tells and the one who is asked are not the same, or it has lost what it knew."""
    looks, quiet = memory(), open_one("quiet")
    assert looks.over([open_one("told"), quiet], 1 * MINUTE_MS) == ()
    assert looks.over([open_one("told", heard_ms=MINUTE_MS + 1), quiet], 2 * MINUTE_MS) == ()
    assert looks.over([open_one("told", heard_ms=MINUTE_MS + 1), quiet], 3 * MINUTE_MS) == (
        open_one("told", heard_ms=MINUTE_MS + 1),
        quiet,
    )


def test_a_new_episode_of_the_same_alert_is_another() -> None:
    """What was lacking before it began says nothing of it."""
    looks = memory()
    assert looks.over([open_one()], 1 * MINUTE_MS) == ()
    anew = Unresolved("a", 90_000, 90_000, 0, True)
    assert looks.over([anew], 2 * MINUTE_MS) == ()
