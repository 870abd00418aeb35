"""A rule that only observes is worth having because a person can read what it would have done."""

from __future__ import annotations

from pathlib import Path

from testbed.alertmanager import alert, body
from testbed.installation import Installation
from testbed.local_shops import LocalShop, local_inventory, rules
from testbed.redis import Redis
from testbed.wait import until


def test_history_shows_what_an_observing_rule_would_have_done(
    tmp_path: Path, redis_server: Redis, canary: LocalShop
) -> None:
    """Nothing is touched, and `history --decisions` names the instance and both releases."""
    inventory = local_inventory(canary=canary.entry("canary"))
    made = Installation(tmp_path / "installed", redis_server.url, rules(mode="observe"), inventory)
    labels = canary.labels()
    with made.running():
        made.notify(body(alert(labels)))
        fingerprint = alert(labels)["fingerprint"]
        until(lambda: made.decisions(fingerprint), within_s=20, what="the alert is decided")
        with made.cli("history", "--decisions") as told:
            until(lambda: told.process.poll() is not None, within_s=20, what="history ends")
    assert told.process.returncode == 0
    assert "would roll back canary on canary to v1.2.0" in told.log()
    assert canary.running() == "v1.3.0"
