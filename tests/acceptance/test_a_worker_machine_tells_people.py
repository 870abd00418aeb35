"""A worker machine brings what waits in the outbox to the channels of its settings, and ends in good order."""

from __future__ import annotations

import signal
from pathlib import Path

from testbed.installation import Installation
from testbed.odd_api import Says, odd_api
from testbed.redis import valkey
from testbed.wait import until
from testbed.web_face import INVENTORY, RULES

from controller.ledger import connect
from controller.settings.numbers import Numbers
from controller.settings.settings import Redis as RedisSettings
from rules.telling import Kind, Message

SECRET = "token-of-the-chat"


def test_a_message_is_told_by_the_real_processes(tmp_path: Path) -> None:
    """Started by the supervisor beside the workers; the log shows that it was told, and no address."""
    with odd_api() as sink, valkey(tmp_path) as server:
        sink.says = [Says(200)]
        urls = tmp_path / "oncall.urls"
        urls.write_text(f"json://127.0.0.1:{sink.port}/{SECRET}\n")
        more = {"notify": {"oncall": {"urls-file": str(urls)}}}
        installation = Installation(tmp_path / "site", server.url, RULES, INVENTORY, more=more)
        ledger = connect(RedisSettings(url=server.url), Numbers(), "worker")
        with installation.working() as workers:
            ledger.outbox.put(Message(Kind.HELD, "Held: shop", "It waits."), "held/r1")
            until(lambda: workers.running() and ledger.outbox.counts().sent, within_s=30, what="the receipt")
            assert [seen.json["title"] for seen in sink.seen] == ["Held: shop"]
            workers.process.send_signal(signal.SIGTERM)
            assert workers.process.wait(timeout=30) == 0
            log = workers.log()
        ledger.close()
    assert "teller.told" in log
    assert SECRET not in log
