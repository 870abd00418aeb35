"""What becomes of a notification in the worker: every pair of alert and rule gets a decision with its reason."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from testbed.redis import Redis
from testbed.shop_rules import ALERT, Book, rule
from testbed.worksite import WEB2, Shop

from controller.ledger import Heard, HeardAlert, State
from rules.inventory import Host
from rules.rule import Mode, Rule
from rules.to import Version
from workers.jobs import run
from workers.site import Site


@pytest.fixture
def shop(tmp_path: Path, redis_server: Redis) -> Iterator[Shop]:
    """Give a shop whose host is a canary that runs v1.3.0."""
    with Shop(tmp_path, redis_server).serving() as shop:
        hosts = (Host("web2", "127.0.0.1", {"track": "canary"}, instance="127.0.0.1:9102"),)
        shop.with_service(hosts=hosts)
        yield shop


def ring(shop: Shop, site: Site, *rules: Rule, labels: dict[str, str] | None = None) -> list[dict[str, object]]:
    """Hear one alert that met these rules, do what its bell leads to, and return the decisions, oldest first."""
    shop.house.rules = Book(*rules)
    text = orjson.dumps(ALERT if labels is None else labels).decode()
    site.ledger.hear(Heard.of([HeardAlert("aa", True, 1, text, "{}", tuple(r.digest for r in rules))]))
    with shop.server.client() as client:
        (ident,) = {job.split("-")[0] for job in client.lrange("rq:queue:rollback", 0, -1) if job.startswith("n")}
        run(site, ident, "job-1")
        assert not client.exists(f"rc:notification:{ident}"), "every pair is decided"
    return [dict(seen.decision) for seen in reversed(site.ledger.decisions.list())]


def test_acting_rule_rolls_its_instance_back_in_the_same_job(shop: Shop) -> None:
    """The job that resolves the notification carries on with the first rollback it opened."""
    with shop.site() as site:
        (decision,) = ring(shop, site, rule())
        (rollback,) = site.ledger.rollbacks.list()
    assert (decision["outcome"], decision["reason"]) == ("roll-back", "allowed")
    assert list(decision["instances"]) == [WEB2]
    assert (rollback.state, rollback.rule, shop.running) == (State.VERIFYING, "canary", "v1.2.0")


def test_observing_rule_says_what_it_would_do_and_touches_nothing(shop: Shop) -> None:
    """`mode: observe` records the release it would have gone to; no rollback is opened."""
    with shop.site() as site:
        (decision,) = ring(shop, site, rule(mode=Mode.OBSERVE))
        assert site.ledger.rollbacks.list() == ()
    assert (decision["outcome"], decision["instances"]) == ("observe", {WEB2: "v1.2.0"})
    assert shop.running == "v1.3.0"


def test_observing_rule_never_takes_the_instance_from_an_acting_one(shop: Shop) -> None:
    """An observing rule before an acting one in the file leaves it the instance; a second acting one gets none."""
    with shop.site() as site:
        outcomes = ring(shop, site, rule("watch", mode=Mode.OBSERVE), rule("first"), rule("second"))
    assert [(d["rule"], d["outcome"]) for d in outcomes] == [
        ("watch", "observe"),
        ("first", "roll-back"),
        ("second", "refuse"),
    ]
    assert outcomes[2]["reason"] == "another-rule-first"


@pytest.mark.parametrize(
    ("named", "reason"),
    [("v1.3.0", "allowed"), ("v1.1.0", "stale")],
)
def test_running_keeps_only_instances_that_run_what_the_alert_names(shop: Shop, named: str, reason: str) -> None:
    """`running:` compares the release the alert names with the one that is live."""
    with shop.site() as site:
        labels = {**ALERT, "version": named}
        (decision,) = ring(shop, site, rule(running="{{ $labels.version }}"), labels=labels)
    assert decision["reason"] == reason
    assert shop.running == ("v1.2.0" if reason == "allowed" else "v1.3.0")


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ({"alertname": "HighErrorRate"}, "label-missing"),
        ({**ALERT, "instance": "10.1.1.1:80"}, "host-unknown"),
    ],
)
def test_what_cannot_be_told_is_refused_with_its_reason(shop: Shop, labels: dict[str, str], reason: str) -> None:
    """An alert that names no known instance changes nothing, and says why."""
    with shop.site() as site:
        (decision,) = ring(shop, site, rule(), labels=labels)
        assert site.ledger.rollbacks.list() == ()
    assert (decision["reason"], shop.running) == (reason, "v1.3.0")


def test_stable_instance_is_not_selected(shop: Shop) -> None:
    """`only` looks at the inventory's labels, whatever the alert says of itself."""
    shop.with_service(hosts=(Host("web2", "127.0.0.1", {"track": "stable"}, instance="127.0.0.1:9102"),))
    with shop.site() as site:
        (decision,) = ring(shop, site, rule(), labels={**ALERT, "track": "canary"})
    assert (decision["reason"], shop.running) == ("not-selected", "v1.3.0")


def test_rule_taken_away_is_decided_after_a_while(shop: Shop, redis_server: Redis) -> None:
    """A rule this worker does not know yet is waited for; two minutes later it was taken away."""
    gone = rule("gone")
    with shop.site() as site, redis_server.client() as client:
        shop.house.rules = Book()
        text = orjson.dumps(ALERT).decode()
        site.ledger.hear(Heard.of([HeardAlert("aa", True, 1, text, "{}", (gone.digest,))]))
        (key,) = client.keys("rc:notification:*")
        ident = key.split(":")[-1]
        run(site, ident, "job-1")
        assert client.exists(key)
        client.hincrby(key, "#at", -121_000)
        run(site, ident, "job-2")
        assert not client.exists(key)
        (decision,) = site.ledger.decisions.list()
    assert decision.decision["reason"] == "rule-changed"


def test_named_version_that_is_missing_is_waited_for_and_says_so(shop: Shop) -> None:
    """The rollback is opened and held with what to do, and nothing is half done."""
    with shop.site() as site:
        ring(shop, site, replace(rule(), to=(Version("v9.0.0"),)))
        (rollback,) = site.ledger.rollbacks.list()
    assert (rollback.state, rollback.reason, shop.running) == (State.WAITING, "no-candidate", "v1.3.0")
    assert "v9.0.0" in rollback.detail


def test_job_killed_while_resolving_opens_nothing_twice(shop: Shop, redis_server: Redis) -> None:
    """A resolver that dies after opening a rollback is followed by one that joins it and decides the rest."""
    shop.house.rules = Book(rule())
    text = orjson.dumps(ALERT).decode()
    with shop.site() as site, redis_server.client() as client:
        site.ledger.hear(Heard.of([HeardAlert("aa", True, 1, text, "{}", (rule().digest,))]))
        (key,) = client.keys("rc:notification:*")
        ident = key.split(":")[-1]
        child = os.fork()
        if child == 0:
            with shop.site() as dying:
                dying.ledger.decisions.record = lambda *_: os._exit(9)  # type: ignore[method-assign]
                run(dying, ident, "job-1")
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        client.delete(f"rc:lease:{ident}")
        run(site, ident, "job-2")
        assert not client.exists(key)
        assert len(site.ledger.rollbacks.list()) == 1
