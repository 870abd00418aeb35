"""At every instant the link is the old one or the new one, whoever is killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from pathlib import Path

from testbed.local_service import LocalService, step

from rules.plans import StepKind
from workers.hosts import commands

VERSIONS = ("v1.2.0", "v1.3.0")


class Onlooker(threading.Thread):
    """Reads the link all the time."""

    def __init__(self, shop: LocalService) -> None:
        super().__init__()
        self.shop = shop
        self.seen: set[str] = set()
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.is_set():
            try:
                self.seen.add(str(self.shop.current.readlink()))
            except OSError as error:
                self.seen.add(str(error))


def test_the_link_is_never_missing(tmp_path: Path) -> None:
    """Two hundred switches under the eyes of somebody who reads the link all the time."""
    shop = LocalService(tmp_path / "opt")
    onlooker = Onlooker(shop)
    onlooker.start()
    driver = shop.driver()
    for number in range(200):
        todo = step(shop.plan(VERSIONS[number % 2]), StepKind.SWITCH)
        driver.perform(todo, {}, number + 1, 20)
    onlooker.over.set()
    onlooker.join()
    assert onlooker.seen == {shop.text(version) for version in VERSIONS}


def test_killed_at_any_moment(tmp_path: Path) -> None:
    """The script dies at a random moment: old or new, and the next one finds its way."""
    shop, chance = LocalService(tmp_path / "opt"), random.Random(7)
    began = time.monotonic()
    for version in VERSIONS:
        shop.driver().perform(step(shop.plan(version), StepKind.SWITCH), {}, 1, 20)
    takes_s = (time.monotonic() - began) / len(VERSIONS)
    outcomes = set()
    for number in range(60):
        before = shop.link()
        after = shop.text(VERSIONS[before == shop.text(VERSIONS[0])])
        todo = step(shop.plan(Path(after).name), StepKind.SWITCH)
        argv = commands.switch(todo.values, number + 2, "r1", 5)
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL, start_new_session=True) as script:
            try:
                script.wait(chance.uniform(0, 2 * takes_s))
            except subprocess.TimeoutExpired:
                os.killpg(script.pid, signal.SIGKILL)
        assert shop.link() in (before, after)
        outcomes.add(shop.link() == after)
        shop.driver().perform(todo, {}, number + 2, 20)
        assert shop.link() == after
    assert outcomes == {True, False}
