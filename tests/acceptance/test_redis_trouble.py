"""Redis is full, down or killed: the sender hears 503 at once, and nothing that was accepted is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from testbed.alertmanager import alert, body, stamp
from testbed.installation import Installation
from testbed.local_shops import LocalShop
from testbed.redis import Redis, debian_redis
from testbed.wait import until


def test_trap_03_a_full_redis_answers_503_and_the_retry_is_no_duplicate(
    local: Installation, redis_server: Redis, canary: LocalShop
) -> None:
    """What could not be made durable was not heard: the same body is accepted in full once there is room."""
    notification = body(alert(canary.labels()))
    with local.running(), redis_server.client() as client:
        client.config_set("maxmemory", "1")
        for _ in range(3):
            assert local.notify(notification).status == 503
        assert local.rollbacks() == []
        client.config_set("maxmemory", "0")

        answer = local.notify(notification)
        assert (answer.status, answer.json["accepted"]) == (202, 1)
        until(lambda: canary.running() == "v1.2.0", within_s=20, what="the canary goes back")


def test_trap_04_two_alertmanagers_one_of_which_was_refused_for_a_while_have_one_effect(
    local: Installation, redis_server: Redis, canary: LocalShop
) -> None:
    """The second member of the pair has its own start, group and address; it is the same alert."""
    labels = canary.labels()
    from_one = body(alert(labels, starts_at=stamp(-30)), externalURL="http://am1.example:9093")
    from_two = body(alert(labels, starts_at=stamp(-29)), externalURL="http://am2.example:9093", groupKey="{}:{}")
    with local.running(), redis_server.client() as client:
        client.config_set("maxmemory", "1")
        for _ in range(13):
            assert local.notify(from_one).status == 503
        client.config_set("maxmemory", "0")
        assert local.notify(from_two).json["accepted"] == 1
        assert local.notify(from_one).status == 202
        until(lambda: canary.restarts() == 1, within_s=20, what="the canary is restarted")
        assert local.notify(from_two).json["known"] == 1

        local.notify(body(alert(labels, status="resolved")))
        (rollback,) = local.ended(within_s=40)
    assert (rollback["outcome"], canary.restarts()) == ("recovered", 1)


def test_redis_down_is_503_and_the_same_body_is_accepted_in_full_later(
    local: Installation, redis_server: Redis, canary: LocalShop, stable: LocalShop
) -> None:
    """The server stays alive, says that it is not ready, and needs no restart when Redis is back."""
    notification = body(alert(canary.labels()), alert(stable.labels()))
    with local.running():
        redis_server.kill()
        refused = local.notify(notification)
        assert refused.status == 503, refused.text
        assert local.ask("/livez", token=None).status == 200
        assert local.ask("/readyz", token=None).status == 503

        redis_server.start()
        until(lambda: local.ask("/readyz", token=None).status == 200, within_s=20, what="it is ready again")
        answer = local.notify(notification)
        assert (answer.status, answer.json["accepted"]) == (202, 2)
        until(lambda: canary.running() == "v1.2.0", within_s=30, what="the canary goes back")


@pytest.mark.parametrize("cut", ["accepted", "acting"])
def test_redis_killed_and_restarted_loses_nothing_that_was_accepted(
    tmp_path: Path, local: Installation, canary: LocalShop, cut: str
) -> None:
    """With `appendfsync always`, what was answered 202 is there after the kill, and has one effect."""
    folder = tmp_path / "debian"
    folder.mkdir()
    with debian_redis(folder, appendfsync="always") as server:
        installed = Installation(tmp_path / cut, server.url, local.rules, local.inventory, more=local.more)
        with installed.serving():
            labels = canary.labels()
            if cut == "accepted":
                assert installed.notify(body(alert(labels))).status == 202
                server.kill()
                server.start()
            with installed.working():
                if cut == "acting":
                    assert installed.notify(body(alert(labels))).status == 202
                    server.kill()
                    server.start()
                until(lambda: canary.running() == "v1.2.0", within_s=60, what="the canary goes back")
                resolved = body(alert(labels, status="resolved"))
                until(lambda: installed.notify(resolved).status < 300, within_s=20, what="the resolve is taken")
                (rollback,) = installed.ended(within_s=60)
    assert (rollback["outcome"], canary.running()) == ("recovered", "v1.2.0")
    assert canary.restarts() in {1, 2}, "a restart whose note was lost may be done once more, a switch never"
