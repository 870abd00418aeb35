"""An ACL user that may do only what docs/how-to/redis.md lists is enough for the whole path."""

from __future__ import annotations

import re
from pathlib import Path

from testbed.alertmanager import alert, body
from testbed.installation import Installation
from testbed.local_shops import LocalShop, local_inventory, rules
from testbed.programs import REPOSITORY
from testbed.redis import Redis
from testbed.wait import until

PAGE = REPOSITORY / "docs/how-to/redis.md"


def _documented() -> list[str]:
    """Return the rules of the user as the page says them."""
    found = re.search(r"^user rollback on >PASSWORD (.+)$", PAGE.read_text(), re.MULTILINE)
    assert found is not None, f"{PAGE} lists the rules of the ACL user"
    return found.group(1).split()


def test_the_documented_user_is_enough(
    tmp_path: Path, redis_server: Redis, canary: LocalShop, stable: LocalShop
) -> None:
    """Alert, rollback, resolve, and everything that people ask; not one command is refused."""
    (tmp_path / "password").write_text("a-secret\n")
    with redis_server.client() as client:
        client.execute_command("ACL", "SETUSER", "rollback", "reset", "on", ">a-secret", *_documented())
        client.execute_command("ACL", "LOG", "RESET")
        login = {"url": redis_server.url, "username": "rollback", "password_file": str(tmp_path / "password")}
        inventory = local_inventory(canary=canary.entry("canary"), stable=stable.entry("stable"))
        more = {"numbers": {"group_interval_s": 1}, "redis": login}
        installed = Installation(tmp_path / "installed", redis_server.url, rules(), inventory, more=more)
        with installed.running() as (server, worker):
            assert installed.notify(body(alert(canary.labels()))).status == 202
            until(lambda: canary.running() == "v1.2.0", within_s=20, what="the canary goes back")
            assert installed.notify(body(alert(canary.labels(), status="resolved"))).status < 300
            installed.ended(within_s=40)
            for path in ("/readyz?verbose", "/metrics", "/api/v1/status", "/api/v1/decisions"):
                assert installed.ask(path).status == 200, path
            server.terminate()
            worker.terminate()
        assert client.execute_command("ACL", "LOG") == []
    assert canary.restarts() == 1
