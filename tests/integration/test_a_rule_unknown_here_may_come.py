"""An alert whose rule this worker does not know waits while servers go by rules unknown here, and then ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from testbed.alertmanager import alert, body
from testbed.redis import Redis
from testbed.shop_rules import ALERT, Book, rule
from testbed.web_face import CANARY, web_face
from testbed.worksite import WEB2, Shop

from controller.ledger import End, Heard, HeardAlert, NewRollback, State, Taken
from rules.decisions import Reason
from rules.inventory import Host
from rules.rule import Rule
from workers.checking import check
from workers.jobs import run
from workers.site import Site

OLD, NEW, NEWER = rule("first"), rule("second"), rule("third")
HOUR_MS = 3_600_000
TEXT = orjson.dumps(ALERT).decode()


@pytest.fixture
def shop(tmp_path: Path, redis_server: Redis) -> Iterator[Shop]:
    """Give a shop whose host is a canary that runs v1.3.0; its worker knows the old rule."""
    with Shop(tmp_path, redis_server).serving() as shop:
        hosts = (Host("web2", "127.0.0.1", {"track": "canary"}, instance="127.0.0.1:9102"),)
        shop.with_service(hosts=hosts)
        shop.house.rules = Book(OLD)
        yield shop


def hear(site: Site, *rules: Rule, firing: bool = True) -> int:
    """Have a server with these rules hear the alert; return how many pairs it asks."""
    site.ledger.spreading.announce(one.digest for one in rules)
    digests = tuple(one.digest for one in rules) if firing else ()
    return site.ledger.hear(Heard.of([HeardAlert("aa", firing, 1, TEXT, "{}", digests)])).asked


def look(shop: Shop, site: Site, *, later_ms: int = 0) -> list[str]:
    """Have a worker look at every notification, so much later; return the reasons decided so far, oldest first."""
    with shop.server.client() as client:
        for key in sorted(client.keys("rc:notification:*")):
            client.hincrby(key, "#at", -later_ms)
            run(site, key.split(":")[-1], "job-1")
    return [str(seen.decision["reason"]) for seen in reversed(site.ledger.decisions.list())]


def forgotten_by_servers(shop: Shop) -> None:
    """Let the time pass after which a rule that no server names is in force no more."""
    with shop.server.client() as client:
        client.delete("rc:in-force")


def test_it_waits_while_a_server_goes_by_it_and_is_done_once_it_is_known(shop: Shop) -> None:
    """However long that takes: heard once, decided once, and told to people meanwhile."""
    with shop.site() as site:
        hear(site, NEW)
        assert [look(shop, site, later_ms=HOUR_MS) for _ in range(3)] == [[], [], []]
        assert site.ledger.spreading.awaiting().pairs == 1
        assert hear(site, NEW) == 0, "it is asked already"
        (told,) = site.ledger.outbox.take(10)
        assert "rule-unknown" in told.message.body
        shop.house.rules = Book(OLD, NEW)
        assert look(shop, site) == ["allowed"]
        assert (site.ledger.spreading.awaiting().pairs, site.ledger.spreading.complaints()) == (0, ())
    assert shop.running == "v1.2.0"


def test_it_is_looked_at_ever_more_seldom(shop: Shop) -> None:
    """It rings for hours where nobody mends it: after a while once a minute."""
    pauses = []
    with shop.site() as site, shop.server.client() as client:
        hear(site, NEW)
        for later_ms in (0, 200_000, HOUR_MS):
            look(shop, site, later_ms=later_ms)
            ((_, due),) = client.zrange("rc:due", 0, -1, withscores=True)
            pauses.append(round(due / 1000 - client.time()[0]))
    assert [abs(pause - expected) <= 2 for pause, expected in zip(pauses, (5, 25, 60), strict=True)], pauses


def test_a_rule_that_no_server_goes_by_is_gone_and_what_is_in_force_is_asked(shop: Shop) -> None:
    """The servers went back to the old rules: it ends with its reason; nobody needs to hear the alert again."""
    with shop.site() as site:
        hear(site, NEW)
        assert look(shop, site) == []
        forgotten_by_servers(shop)
        site.ledger.spreading.announce([OLD.digest])
        assert look(shop, site, later_ms=HOUR_MS) == ["rule-changed"]
        assert look(shop, site) == ["rule-changed", "allowed"]
        assert look(shop, site) == ["rule-changed", "allowed"], "nothing is left"
        assert site.ledger.spreading.awaiting().pairs == 0
    assert shop.running == "v1.2.0"


def test_what_ended_so_is_asked_again_by_a_server_that_has_it(shop: Shop) -> None:
    """The new rules come back: what was decided without them does not stand."""
    with shop.site() as site:
        hear(site, NEW)
        forgotten_by_servers(shop)
        shop.house.rules = Book()
        assert look(shop, site, later_ms=HOUR_MS) == ["rule-changed"]
        assert hear(site, NEW) == 1
        shop.house.rules = Book(NEW)
        assert look(shop, site) == ["rule-changed", "allowed"]


def test_who_is_behind_the_servers_asks_no_old_rule_instead(shop: Shop) -> None:
    """The rule was changed twice: this worker waits for the third, and does not go by the first."""
    with shop.site() as site:
        hear(site, NEW)
        forgotten_by_servers(shop)
        site.ledger.spreading.announce([NEWER.digest])
        assert look(shop, site, later_ms=HOUR_MS) == []
        shop.house.rules = Book(NEWER)
        assert look(shop, site) == ["rule-changed"]
        assert look(shop, site) == ["rule-changed", "allowed"]
        (rollback,) = site.ledger.rollbacks.list()
    assert (rollback.rule, shop.running) == ("third", "v1.2.0")


def test_who_cannot_tell_what_servers_go_by_waits(shop: Shop) -> None:
    """Somebody wrote there what we never do: nothing is taken for gone, and what else is asked is decided."""
    with shop.site() as site, shop.server.client() as client:
        hear(site, OLD, NEW)
        client.delete("rc:in-force")
        client.set("rc:in-force", "x")
        assert look(shop, site, later_ms=HOUR_MS) == ["allowed"]
        assert site.ledger.spreading.awaiting().pairs == 1


def test_an_alert_that_resolves_meanwhile_ends_so(shop: Shop) -> None:
    """Nobody waits for a rule to tell what to do about what is over."""
    with shop.site() as site:
        hear(site, NEW)
        assert look(shop, site, later_ms=HOUR_MS) == []
        hear(site, firing=False)
        assert look(shop, site) == ["resolved"]
        assert site.ledger.spreading.awaiting().pairs == 0


def test_after_a_day_it_ends_and_is_asked_when_it_is_heard_again(shop: Shop) -> None:
    """It waits for no rule for ever, and is not lost."""
    with shop.site() as site:
        hear(site, NEW)
        assert look(shop, site, later_ms=25 * HOUR_MS) == ["rule-unknown"]
        assert hear(site, NEW) == 1
        assert look(shop, site) == ["rule-unknown"]


def test_a_rollback_by_hand_comes_first_and_the_rule_finds_it(shop: Shop) -> None:
    """A person need not wait for it; the rule, once known, leaves alone what they brought."""
    with shop.site() as site:
        hear(site, NEW)
        assert look(shop, site, later_ms=HOUR_MS) == []
        by_hand = site.ledger.rollbacks.open(NewRollback(WEB2, "shop", "web2", by="ann"), ring=False)
        run(site, by_hand.id, "job-2")
        assert shop.running == "v1.2.0"
        shop.house.rules = Book(NEW)
        assert look(shop, site) == ["allowed"]
        (rules_own,) = [one for one in site.ledger.rollbacks.list() if one.rule]
    assert (rules_own.reason, shop.running) == (Reason.PERSON_FIRST, "v1.2.0")


@pytest.mark.parametrize(
    ("in_force", "hours", "state", "reason"),
    [
        ((NEW,), 2, State.WAITING, Reason.RULE_UNKNOWN),
        ((NEWER,), 2, State.WAITING, Reason.RULE_UNKNOWN),
        ((NEW,), 25, State.ENDED, Reason.RULE_UNKNOWN),
        ((OLD,), 2, State.ENDED, Reason.RULE_CHANGED),
        ((), 2, State.ENDED, Reason.RULE_CHANGED),
    ],
)
def test_a_rollback_whose_bell_comes_to_who_does_not_know_its_rule(
    shop: Shop, in_force: tuple[Rule, ...], hours: int, state: State, reason: Reason
) -> None:
    """Opened by a worker with the new rule, it waits for one, past the ten minutes of other waits."""
    with shop.site() as site, shop.server.client() as client:
        hear(site, NEW)
        site.ledger.hands.pause("", "ann", "a known outage", None)
        shop.house.rules = Book(NEW)
        assert look(shop, site) == ["allowed"]
        ((ident, before),) = [(one.id, one.reason) for one in site.ledger.rollbacks.list()]
        shop.house.rules = Book(OLD)
        assert (before, shop.work(site, ident).reason) == (Reason.PAUSED_BY_PERSON, Reason.RULE_UNKNOWN)
        forgotten_by_servers(shop)
        site.ledger.spreading.announce(one.digest for one in in_force)
        for moment in ("opened_at", "waits_since"):
            client.hincrby(f"rc:rollback:{ident}", moment, -hours * HOUR_MS)
        after = shop.work(site, ident)
        assert (after.state, after.reason, shop.running) == (state, reason, "v1.3.0")
        if state is State.WAITING:
            site.ledger.hands.resume("", "ann")
            shop.house.rules = Book(NEW)
            assert shop.work(site, ident).state is State.VERIFYING
        else:
            assert after.outcome == End.REFUSED
            assert hear(site, NEW) == 1, "a server that goes by the rule asks again"


def test_the_doctor_hears_from_a_worker_that_is_behind(shop: Shop) -> None:
    """Before any alert has to wait: by a worker's own look at what servers go by."""
    said = []
    with shop.site() as site:
        for in_force in ((), (OLD,), (OLD, NEW)):
            site.ledger.spreading.announce(one.digest for one in in_force)
            found = [one for one in check(site)["sections"] if one["title"].startswith("Rules")]
            said.append([(one["level"], one["what"]) for section in found for one in section["findings"]])
    assert said[:2] == [[], [("well", "It knows the 1 rule by which servers go.")]]
    ((level, what),) = said[2]
    assert (level, what.partition(":")[0]) == ("warns", "Servers go by 1 rule that this worker does not know")


def test_why_tells_that_an_alert_waits_for_its_rule(tmp_path: Path, redis_server: Redis) -> None:
    """Who asks why nothing is done is not told that a worker has still to look."""
    with web_face(tmp_path, redis_server.url) as face:
        entry = alert(CANARY)
        assert face.notify(body(entry)).status_code == 202
        with redis_server.client() as client:
            (key,) = client.keys("rc:notification:*")
            ident, (pair,) = key.split(":")[-1], [name for name in client.hkeys(key) if name[0] != "#"]
        taken = face.ledger.leases.take(ident, holder="job:1", kind="notification")
        assert isinstance(taken, Taken)
        face.ledger.leases.release(ident, taken.token, ident, look_again_ms=1, awaiting=[pair])
        answer = face.ask(f"/api/v1/why/{entry['fingerprint']}", "reader").json
        (waits,) = [one["awaited_since"] for one in answer["alerts"][0]["rules"] if one["awaited_since"]]
    assert waits.endswith("Z")
