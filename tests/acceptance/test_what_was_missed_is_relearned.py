"""Alerts and resolves that no notification brought are learned by asking a real Alertmanager, and acted on once.

Its intervals, and ours, are a second long here; the defaults are half a minute to look and a minute to close.
"""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from testbed.alertmanager import Alertmanager, alert, alertmanager, body, receiver_config
from testbed.installation import Installation
from testbed.local_shops import LocalShop, local_inventory, rules
from testbed.programs import free_port
from testbed.redis import Redis
from testbed.wait import until

NUMBERS = {"group_interval_s": 1, "relearn_every_s": 0.5, "relearn_absent_s": 1}
NOWHERE = "http://127.0.0.1:9/"
"""Where nobody listens: a notification sent there is missed."""


@pytest.fixture
def start(
    tmp_path: Path, redis_server: Redis, canary: LocalShop, stable: LocalShop
) -> Iterator[Callable[..., tuple[Installation, Alertmanager]]]:
    """Return what starts an Alertmanager, and an installation that asks it; without `reaches_us` all is missed."""
    with contextlib.ExitStack() as parts:

        def started(
            *, reaches_us: bool, settled_s: float = 2, **webhook: object
        ) -> tuple[Installation, Alertmanager]:
            port, asked = free_port(), free_port()
            more = {
                "numbers": {**NUMBERS, "relearn_settled_s": settled_s},
                "alertmanager": {"url": f"http://127.0.0.1:{asked}", "receiver": "rollback.controller"},
            }
            inventory = local_inventory(canary=canary.entry("canary"), stable=stable.entry("stable"))
            installed = Installation(
                tmp_path / "installed", redis_server.url, rules(), inventory, port=port, more=more
            )
            url = installed.receiver if reaches_us else NOWHERE
            config = json.loads(receiver_config(url, installed.token_file("alertmanager"), group_by=()))
            config["receivers"][0]["webhook_configs"][0].update(webhook)
            am = parts.enter_context(alertmanager(tmp_path / "am", json.dumps(config), port=asked))
            parts.enter_context(installed.running())
            return installed, am

        yield started


def silence(am: Alertmanager, labels: Mapping[str, str]) -> None:
    """Silence the alerts with these labels for an hour."""
    now = datetime.now(UTC)
    wanted = {
        "matchers": [{"name": name, "value": labels[name], "isRegex": False, "isEqual": True} for name in labels],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
        "createdBy": "test",
        "comment": "a person works on it",
    }
    request = urllib.request.Request(
        f"http://127.0.0.1:{am.port}/api/v2/silences",
        data=json.dumps(wanted).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=5):
        pass


def metric(installed: Installation, name: str) -> float:
    """Return one metric without labels; 0 while it is absent."""
    lines = installed.ask("/metrics").text.splitlines()
    found = [line.rpartition(" ")[2] for line in lines if line.startswith(f"rollback_controller_{name} ")]
    return float(found[0]) if found else 0.0


def looked(installed: Installation, *, times: int = 3) -> None:
    """Wait until Alertmanager has been asked that often from now on."""
    for _ in range(times):
        before = asked_at(installed)
        until(lambda before=before: asked_at(installed) != before, within_s=40, what="it is asked")  # type: ignore[misc]


def asked_at(installed: Installation) -> str | None:
    """Return when Alertmanager last answered, as the ledger has it."""
    with contextlib.closing(redis.Redis.from_url(installed.redis_url, decode_responses=True)) as client:
        found: Any = client.hget("rc:relearned", "at")
        return found


def is_verified(installed: Installation) -> None:
    """Wait until everything has been changed and is being verified; fail where anything is over."""

    def verifying() -> bool:
        states = {one["state"] for one in installed.rollbacks()}
        assert states & {"ended", "held"} == set(), states
        return states == {"verifying"}

    until(verifying, within_s=40, what="every rollback is verified")


def test_an_alert_whose_notification_was_missed_is_learned_and_acted_on_once(
    start: Any, canary: LocalShop
) -> None:
    """The receiver was not to be reached while it fired; later the ledger is lost as well, and it still fires."""
    installed, am = start(reaches_us=False)
    am.post(canary.labels(), since_s=60)

    until(lambda: canary.running() == "v1.2.0", within_s=40, what="the canary goes back")
    assert metric(installed, "alerts_relearned_total") == 1

    with contextlib.closing(redis.Redis.from_url(installed.redis_url)) as client:
        client.flushall()
    until(lambda: metric(installed, "alerts_relearned_total") == 1, within_s=40, what="it is learned anew")
    looked(installed)
    am.post(canary.labels(), resolved=True, since_s=60)
    until(lambda: all(one["state"] == "ended" for one in installed.rollbacks()), within_s=40, what="all is over")
    assert (canary.running(), canary.restarts()) == ("v1.2.0", 1), "the target says that it was done already"


def test_a_missed_resolve_closes_the_episode_and_the_rollback_ends_by_it(
    start: Any, canary: LocalShop, stable: LocalShop
) -> None:
    """Its resolve is never sent; another alert goes on firing, and its episode is not touched."""
    installed, am = start(reaches_us=True, send_resolved=False)
    am.post(canary.labels(), since_s=60)
    am.post(stable.labels(alertname="Unrelated"), since_s=60)
    until(lambda: canary.running() == "v1.2.0", within_s=40, what="the canary goes back")
    is_verified(installed)
    looked(installed)

    am.post(canary.labels(), resolved=True, since_s=60)
    (ended,) = installed.ended(within_s=60)

    assert ended["outcome"] == "recovered", ended
    assert metric(installed, "resolves_relearned_total") == 1


def test_what_was_cut_off_from_a_notification_is_learned(start: Any, canary: LocalShop, stable: LocalShop) -> None:
    """`max_alerts: 1` lets one of two through."""
    installed, am = start(reaches_us=True, max_alerts=1)
    for shop in (canary, stable):
        am.post(shop.labels(), since_s=60)

    for shop in (canary, stable):
        until(lambda shop=shop: shop.running() == "v1.2.0", within_s=40, what=f"{shop.name} goes back")  # type: ignore[misc]
    with contextlib.closing(redis.Redis.from_url(installed.redis_url, decode_responses=True)) as client:
        names = client.keys("rc:episode:*")
        until(
            lambda: [client.hget(name, "truncated") for name in names] == ["0", "0"],
            within_s=40,
            what="nothing counts as cut off any more",
        )
        until(lambda: canary.restarts() and stable.restarts(), within_s=40, what="both are restarted")
        looked(installed)
    assert (canary.restarts(), stable.restarts()) == (1, 1)


def test_a_silenced_alert_starts_nothing_and_one_silenced_while_it_fired_may_end_unheard(
    start: Any, canary: LocalShop, stable: LocalShop
) -> None:
    """Whoever silences wants to be left alone; but a silence must not keep an episode open for ever."""
    installed, am = start(reaches_us=True)
    silence(am, {"instance": stable.name})
    am.post(stable.labels(), since_s=60)
    am.post(canary.labels(), since_s=60)
    until(lambda: canary.running() == "v1.2.0", within_s=40, what="the canary goes back")
    silence(am, {"instance": canary.name})
    is_verified(installed)
    looked(installed)
    is_verified(installed)  # it fires, silenced or not

    am.post(canary.labels(), resolved=True, since_s=60)
    until(lambda: metric(installed, "resolves_relearned_total") == 1, within_s=40, what="its end is learned")
    installed.ended(within_s=60)
    assert (stable.running(), stable.restarts()) == ("v1.3.0", 0)


def test_nobody_is_believed_about_what_it_has_just_forgotten_or_never_knew(
    start: Any, canary: LocalShop, stable: LocalShop, tmp_path: Path
) -> None:
    """One has restarted and lists nothing yet; the other alert was never its own: another one told us of it."""
    installed, am = start(reaches_us=True, settled_s=60)
    am.post(canary.labels(), since_s=60)
    assert installed.notify(body(alert(stable.labels()))).status == 202
    for shop in (canary, stable):
        until(lambda shop=shop: shop.running() == "v1.2.0", within_s=40, what=f"{shop.name} goes back")  # type: ignore[misc]
    is_verified(installed)
    looked(installed)

    am.server.kill()
    config = receiver_config(installed.receiver, installed.token_file("alertmanager"))
    with alertmanager(tmp_path / "anew", config, port=am.port):
        looked(installed, times=5)
        assert {one["state"] for one in installed.rollbacks()} == {"verifying"}
        assert metric(installed, "resolves_relearned_total") == 0
