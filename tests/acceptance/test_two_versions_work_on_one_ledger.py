"""Workers of two versions, one after the other: what the newer one wrote waits for it, neither held nor done."""

from __future__ import annotations

from pathlib import Path

from testbed.commands import approver, does
from testbed.guarded import BRISK, Guarded, rule_for
from testbed.installation import Installation
from testbed.local_shops import local_inventory, local_shops
from testbed.newer import NEWER
from testbed.people import people
from testbed.redis import valkey
from testbed.wait import until

NUMBERS = {**BRISK, "due_first_s": 1, "due_max_s": 2}


def test_the_older_one_leaves_it_alone_and_the_newer_one_goes_on(tmp_path: Path) -> None:
    """A question that a newer worker asked is answered while only an older one runs."""
    (tmp_path / "redis").mkdir()
    with (
        local_shops(tmp_path, "shop") as shops,
        people(tmp_path) as told,
        valkey(tmp_path / "redis") as redis,
    ):
        inventory = local_inventory(shop=shops["shop"].entry("canary"))
        more = {"numbers": NUMBERS, "notify": told.channels}
        rules = rule_for("Trouble", mode="ask")
        installed = Installation(tmp_path / "installed", redis.url, rules, inventory, more=more)
        with installed.serving() as server:
            with installed.working("newer", module=NEWER) as newer:
                site = Guarded(installed, shops, told, server, newer)
                entry = site.fires("shop", "Trouble")
                ident = site.becomes("shop", state="waiting", reason="ask-mode")["id"]
            with installed.working("older") as older:
                does(installed, "approve", ident, **approver(installed))
                until(
                    lambda: older.log().count("rollback.written_by_newer_version") > 1,
                    within_s=20,
                    what="the older worker looks, again and again",
                )
                assert "Written by a newer version" in does(installed, "status")
                assert (site.of("shop")["state"], site.untouched("shop")) == ("waiting", True)
            with installed.working("newer-again", module=NEWER):
                assert site.recovers("shop", entry)["id"] == ident
            assert "Written by a newer version" not in does(installed, "status")
