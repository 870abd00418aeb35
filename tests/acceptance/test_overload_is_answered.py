"""A storm is answered: with a 2xx once it is durable, or with a 503 that Alertmanager repeats. Nothing between.

How fast, and how long Redis is deaf, is measured by `make bench`; here is shown what holds on any machine.
"""

from __future__ import annotations

import http.client
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from testbed.alertmanager import alert, body
from testbed.installation import Installation
from testbed.local_shops import LocalShop
from testbed.redis import Redis
from testbed.wait import until

STORM = 20_000
SENDERS = 6
MEMORY_MB = 400
"""What the serving process may come to, whatever is sent: 60 MB, 32 MiB of bodies, and what is made of them."""


def storm(of: str, count: int = STORM) -> bytes:
    """Return a body of so many alerts as large as real ones, about one service."""
    summary = {"summary": "answers with errors " * 8}
    alerts = [
        {**alert({"alertname": "ShopFails", "service": of, "instance": f"{of}-{n}"}), "annotations": summary}
        for n in range(count)
    ]
    return json.dumps(body(*alerts)).encode()


def send(installed: Installation, content: bytes) -> tuple[int, dict[str, Any]]:
    """Post a body on a connection of its own; one that is refused while it is still sent counts as 503.

    Alertmanager repeats a broken connection as it does a 503.
    """
    connection = http.client.HTTPConnection("127.0.0.1", installed.port, timeout=60)
    token = installed.token_file("alertmanager").read_text().strip()
    try:
        connection.request("POST", "/api/v1/alertmanager", content, {"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    except ConnectionError:
        return 503, {}
    finally:
        connection.close()


def until_accepted(installed: Installation, content: bytes) -> dict[str, Any]:
    """Send a body again and again as Alertmanager does, until it is accepted; return the last answer."""

    def once() -> dict[str, Any] | None:
        status, told = send(installed, content)
        assert status in {200, 202, 503}, (status, told)
        return told if status != 503 else None

    return until(once, within_s=120, what="the storm is accepted", every_s=0.5)


def peak_mb(pid: int) -> float:
    """Return the most that a process has had in memory."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def turned_away(installed: Installation) -> float:
    """Return how many notifications were answered 503 for want of room."""
    lines = installed.ask("/metrics", token=None).text.splitlines()
    found = [line for line in lines if line.startswith("rollback_controller_notifications_turned_away_total{")]
    return sum(float(line.rsplit(" ", 1)[1]) for line in found)


def test_storms_from_many_senders_are_each_accepted_or_sent_again(
    local: Installation, redis_server: Redis
) -> None:
    """Six bodies of 20,000 at once: more than there is room for. Each is whole in the end, and memory stays."""
    bodies = [storm(f"service-{n}") for n in range(SENDERS)]
    with local.serving() as server, ThreadPoolExecutor(SENDERS) as senders:
        answers = list(senders.map(lambda content: send(local, content), bodies))
        assert {status for status, _ in answers} <= {202, 503}
        assert turned_away(local) > 0, "there was room for all of them: this shows nothing"
        assert local.ask("/livez", token=None).status == 200
        until_accepted(local, bodies[0])
        until_accepted(local, bodies[-1])
        peaks = [peak_mb(pid) for pid in server.family()]
    assert max(peaks) < MEMORY_MB, peaks
    with redis_server.client() as client:
        assert client.exists(f"rc:episode:{alert_of('service-0', STORM - 1)}")
        assert client.exists(f"rc:episode:{alert_of(f'service-{SENDERS - 1}', 0)}")


def alert_of(service: str, n: int) -> str:
    """Return the fingerprint of one of the alerts of a storm."""
    labels = {"alertname": "ShopFails", "service": service, "instance": f"{service}-{n}"}
    return str(alert(labels)["fingerprint"])


def test_an_alert_behind_a_storm_gets_its_turn(
    local: Installation, redis_server: Redis, canary: LocalShop
) -> None:
    """Thousands of alerts about nothing we know wait to be decided; one about an instance is not kept by them."""
    with local.running(), redis_server.client() as client:
        until_accepted(local, storm("somewhere-else", 10_000))
        entry = alert(canary.labels())
        assert local.notify(body(entry)).status == 202
        until(lambda: canary.running() == "v1.2.0", within_s=60, what="the instance goes back")
        assert client.keys("rc:notification:*"), "the storm was over before: this shows nothing"
        until(lambda: local.decisions(entry["fingerprint"]), within_s=30, what="its decision is there")
