"""The monitoring of a run: what fires follows what runs, and two Alertmanagers say so until they are heard."""

from __future__ import annotations

import json
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from testbed import shop
from testbed.alertmanager import alert, body, stamp
from testbed.local_shops import LocalShop

from chaos.cast import Alert

GROUP = 5
"""Alerts in one notification."""
_EVERY_S = 0.7
_TIMEOUT_S = 5


@dataclass(frozen=True, slots=True)
class Http:
    """A way to the product's API, as one of those with a token."""

    port: int
    token_file: Path

    def ask(self, path: str, said: object = None, method: str | None = None) -> tuple[int, Any]:
        """Return the status and the answer; 0 where none came."""
        data = None if said is None else json.dumps(said).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=data, method=method)
        request.add_header("Content-Type", "application/json")
        request.add_header("Authorization", f"Bearer {self.token_file.read_text().strip()}")
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text[:1] in (b"{", b"[") else None
        except urllib.error.HTTPError as refusal:
            refusal.close()
            return refusal.code, None
        except (OSError, ValueError):
            return 0, None


@dataclass(slots=True)
class Monitoring:
    """Knows what fires: what is ill, unless it was silenced for good."""

    shops: Mapping[str, LocalShop]
    alerts: Sequence[Alert]
    begins: dict[str, float] = field(default_factory=dict)
    """By name: before when nothing of it is noticed, by the monotonic clock."""
    since: dict[str, str] = field(default_factory=dict)
    """By name: since when it fires."""
    gone: dict[str, str] = field(default_factory=dict)
    """By name: since when it fired that fires no more."""
    over: set[str] = field(default_factory=set)
    """What is never to fire again."""
    accepted: set[str] = field(default_factory=set)
    """What fired and was answered 202."""
    posts: int = 0
    refused: int = 0

    def look(self) -> None:
        """Look at every shop, as a scrape does."""
        for one in self.alerts:
            quiet = one.name in self.over or time.monotonic() < self.begins.get(one.name, 0)
            ill = not quiet and self._is_ill(self.shops[one.name])
            if ill and one.name not in self.since:
                self.gone.pop(one.name, None)
                self.since[one.name] = stamp(0)
            elif not ill and one.name in self.since:
                self.gone[one.name] = self.since.pop(one.name)

    @staticmethod
    def _is_ill(one: LocalShop) -> bool:
        try:
            told = json.loads((one.current / "release.json").read_text())
        except OSError:
            return False
        return bool(told["behaves"] != shop.WELL)

    def said(self, group: Sequence[Alert]) -> tuple[list[str], dict[str, Any]]:
        """Return the names of what fires in a group, and its notification."""
        since, gone = dict(self.since), dict(self.gone)
        entries = [alert(a.labels, starts_at=since[a.name]) for a in group if a.name in since]
        over = [a for a in group if a.name in gone and a.name not in since]
        entries += [alert(a.labels, starts_at=gone[a.name], status="resolved") for a in over]
        return [a.name for a in group if a.name in since], body(*entries)

    def everything_was_heard(self) -> bool:
        """Whether all that was to be ill has been noticed, and what fires has been accepted."""
        begun = time.monotonic() >= max(self.begins.values())
        return begun and set(self.since) <= self.accepted

    def scrape(self, ending: threading.Event) -> None:
        """Look again and again."""
        while not ending.wait(0.2):
            self.look()

    def send(self, http: Http, chance: random.Random, ending: threading.Event) -> None:
        """Notify of every group, again at once where it was not heard, as Alertmanager does."""
        groups = [self.alerts[at : at + GROUP] for at in range(0, len(self.alerts), GROUP)]
        while not ending.is_set():
            for group in chance.sample(groups, len(groups)):
                self._notify(http, group, ending)
            ending.wait(_EVERY_S)

    def _notify(self, http: Http, group: Sequence[Alert], ending: threading.Event) -> None:
        pause = 0.1
        while not ending.is_set():
            names, said = self.said(group)
            if not said["alerts"]:
                return
            status, _ = http.ask("/api/v1/alertmanager", said)
            self.posts += 1
            if status == 202:
                self.accepted.update(names)
            if 200 <= status < 300:
                return
            self.refused += 1
            ending.wait(pause)
            pause = min(pause * 2, 1)


def insist(http: Http, path: str, said: object, ending: threading.Event, *, method: str = "POST") -> bool:
    """Ask as a person does, until it is taken; false where there was no more time for that."""
    while not ending.is_set():
        status, _ = http.ask(path, said, method)
        if 200 <= status < 300:
            return True
        time.sleep(0.2)
    return False
