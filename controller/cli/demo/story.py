"""Tells the demo's story while it happens: each line as soon as it is true, with its time since the alert."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, Any, Literal

import click

from controller.cli.demo.notification import fingerprint, notification, trouble_begins
from controller.cli.demo.stage import Instance, Stage
from controller.cli.failures import Failed
from controller.cli.records import SETTLED, because
from controller.cli.stories import told
from controller.cli.terminal import clean, coloured, faint, say
from controller.cli.times import parse

if TYPE_CHECKING:
    from controller.cli.api import Api

_ORDERS = 20
_ENDS_WITHIN_S = 12


class Story:
    """One run of the demo."""

    def __init__(self, stage: Stage, api: Api) -> None:
        self._stage = stage
        self._api = api
        self._since = trouble_begins()
        self._begun_ms = 0.0
        self._lines_told = 0
        self._labels = {
            "alertname": "HighErrorRate",
            "instance": stage.canary.address,
            "service": "shop",
            "severity": "critical",
        }

    def tell(self) -> str:
        """Play it from the alert to the end; returns the rollback's id. Raises `Failed` if it goes otherwise."""
        canary, stable = self._stage.canary, self._stage.stable
        before = canary.pid, stable.pid
        say("A small shop runs twice on this machine; each instance has the releases v1.2.0 and v1.3.0.")
        for instance in (stable, canary):
            say(f"  {_selling(instance)}")
        say("HighErrorRate fires for the canary. Its notification is posted as Alertmanager would:")
        record = self._play()
        self._compare(*before)
        say(f"  why: {self._why(record)}")
        return str(record["id"])

    def _play(self) -> dict[str, Any]:
        self._begun_ms = time.time() * 1000
        self._post("firing")
        self._line(time.time() * 1000, "accepted: written down, and queued for a worker")
        record = self._follow({"verifying"})
        if record["state"] == "verifying":
            says = "the change is made; now the alert must resolve, and stay away for two group intervals"
            self._line(time.time() * 1000, says)
            self._post("resolved")
            record = self._follow(set())
        if record["outcome"] != "recovered":
            raise Failed(f"The canary should have recovered, but: {because(record) or record['state']}.")
        at_ms = parse(record["ended_at"]).timestamp() * 1000
        self._line(at_ms, f"{coloured('recovered')}: {clean(record['detail'])}")
        return record

    def _follow(self, until: set[str]) -> dict[str, Any]:
        """Tell the journal as it grows; returns the record once it is settled or in one of those states."""
        deadline = time.monotonic() + _ENDS_WITHIN_S
        while time.monotonic() < deadline:
            found = self._api.get("rollbacks", limit=1)["rollbacks"]
            if found:
                record = self._api.get(f"rollbacks/{found[0]['id']}")
                self._tell_journal(record)
                if record["state"] in SETTLED | until:
                    return record
            time.sleep(0.05)
        raise Failed(f"Nothing came of it within {_ENDS_WITHIN_S} s.")

    def _tell_journal(self, record: dict[str, Any]) -> None:
        entries = record["journal"]
        for entry in entries[self._lines_told :]:
            if entry["kind"] != "intent":
                self._line(entry["at"], clean(self._shortened(told(entry))))
        self._lines_told = len(entries)

    def _shortened(self, text: str) -> str:
        """Leave out the demo's own folder and interpreter; they make lines long and tell nothing."""
        tool = f"{sys.executable} {self._stage.shopctl}"
        return text.replace(tool, "shopctl").replace(f"{self._stage.folder}/", "")

    def _line(self, at_ms: float, text: str) -> None:
        click.echo(f"{faint(f'{max(0, at_ms - self._begun_ms):7.0f} ms')}  {text}")

    def _post(self, status: Literal["firing", "resolved"]) -> None:
        body = notification(status, self._labels, {"summary": "every other order fails"}, self._since)
        token = (self._stage.folder / "tokens/alertmanager").read_text(encoding="utf-8")
        request = urllib.request.Request(  # noqa: S310 - http
            f"{self._api.url}/api/v1/alertmanager",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - http
            if answer.status != 202:
                raise Failed(f"The notification was answered {answer.status} instead of 202.")

    def _compare(self, canary_pid: int, stable_pid: int) -> None:
        canary, stable = self._stage.canary, self._stage.stable
        if canary.pid == canary_pid or stable.pid != stable_pid:
            raise Failed("The canary should run as a new process, and the stable instance as the one it was.")
        say(f"  {_selling(canary)}, before it was process {canary_pid}")
        say(f"  {_selling(stable)}, the same as before: never touched")

    def _why(self, record: dict[str, Any]) -> str:
        decision = self._api.get("decisions", fingerprint=fingerprint(self._labels), limit=1)["decisions"][0]
        return (
            f"rule {record['rule']} matches alert {decision['fingerprint']}, and may act "
            f"where track=canary: {decision['outcome']}, {decision['reason']}"
        )


def _selling(instance: Instance) -> str:
    failed = instance.sell(_ORDERS)
    orders = f"{failed} of {_ORDERS} orders fail" if failed else f"all of {_ORDERS} orders succeed"
    return f"{instance.name}  {instance.address}  {instance.version}  {orders}  process {instance.pid}"
