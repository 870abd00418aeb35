"""One look sees everything a plan rests on, whatever lies about on the disk, and changes nothing."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from testbed.local_service import INSTANCE, LocalService, step

from rules.decisions import Reason
from rules.errors import Permanent
from rules.instances import HostInstance
from rules.inventory import Host, Inventory, Ssh
from rules.plans import StepKind
from workers.hosts import Params, reach


@pytest.fixture
def shop(tmp_path: Path) -> LocalService:
    return LocalService(tmp_path / "opt")


def everything(root: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in [root, *root.rglob("*")]}


def test_looking_changes_nothing(shop: LocalService) -> None:
    """Not even a lock file appears."""
    before = everything(shop.root)
    shop.driver().preflight(shop.plan())
    shop.driver().evidence()
    assert everything(shop.root) == before


def test_names_that_would_break_a_report(shop: LocalService) -> None:
    """Line breaks, tabs, bytes that are no text, hidden ones, options, links: none of them is a release."""
    (shop.releases / "a\nfence\t99\tx").mkdir()
    (shop.releases / "b\tc").mkdir()
    Path(f"{shop.releases}/\udcff").mkdir()
    (shop.releases / "-rf").mkdir()
    (shop.releases / ".partial").mkdir()
    (shop.releases / "latest").symlink_to("v1.3.0")
    (shop.releases / "README").write_text("")
    seen = shop.driver().observe()
    assert [release.name for release in seen.releases] == ["v1.1.0", "v1.2.0", "v1.3.0"]
    assert (seen.running, seen.fence) == ("v1.3.0", 0)
    assert seen.details["odd_names_skipped"] == 3


def test_thousands_of_releases(shop: LocalService) -> None:
    """Nobody cleans up; the look still is one look."""
    for number in range(3000):
        (shop.releases / f"v1.0.{number}").mkdir()
    seen = shop.driver().observe()
    assert len(seen.releases) == 3003
    assert [release.name for release in seen.releases][-4:] == ["v1.0.2999", "v1.1.0", "v1.2.0", "v1.3.0"]


@pytest.mark.parametrize("as_files", [True, False])
def test_what_is_executable_and_complete(tmp_path: Path, *, as_files: bool) -> None:
    """Looked up inside a release directory; a release that is a file is itself what is executed."""
    shop = LocalService(tmp_path / "opt", as_files=as_files, changes={"executable": "bin/shop"})
    good = shop.releases / "v1.2.0"
    if not as_files:
        (good / "bin").mkdir()
        good = good / "bin/shop"
        good.write_text("")
    good.chmod(0o755)
    for version in ("v1.1.0", "v1.3.0"):
        (shop.releases / version).chmod(0o644 if as_files else 0o755)
    marks = {release.name: release.executable for release in shop.driver().observe().releases}
    assert marks == {"v1.1.0": False, "v1.2.0": True, "v1.3.0": False}


def test_a_release_without_its_mark_is_not_complete(tmp_path: Path) -> None:
    """The deploy writes the mark last."""
    shop = LocalService(tmp_path / "opt", changes={"complete": ".deployed"})
    (shop.releases / "v1.2.0/.deployed").touch()
    marks = {release.name: release.complete for release in shop.driver().observe().releases}
    assert marks == {"v1.1.0": False, "v1.2.0": True, "v1.3.0": False}
    with pytest.raises(Permanent) as refused:
        shop.driver().preflight(shop.plan("v1.1.0"))
    assert refused.value.reason is Reason.RELEASE_INCOMPLETE


def test_a_missing_releases_directory(shop: LocalService) -> None:
    """Said by its path."""
    shop.changes = {"releases": "/no/such/releases"}
    with pytest.raises(Permanent, match="/no/such/releases is not there") as refused:
        shop.driver().observe()
    assert refused.value.reason is Reason.TARGET_MISCONFIGURED


def test_a_stat_that_is_not_gnus(shop: LocalService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """BusyBox tells inode and time in other words: that is said, not taken for a missing link."""
    (tmp_path / "stat").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "stat").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(Permanent, match="install coreutils"):
        shop.driver().observe()


def test_last_stable_is_read_back(shop: LocalService) -> None:
    """A person may have written it, too."""
    (shop.root / "last_stable").write_text("v1.1.0\n")
    assert shop.driver().observe().last_stable == "v1.1.0"


def test_an_instance_that_left_the_inventory(shop: LocalService) -> None:
    """A rollback that was opened before the inventory changed."""
    inventory = Inventory({"shop": shop.service}, local=True)
    for gone, reason in (
        (HostInstance("default", "cart", "here"), Reason.SERVICE_UNKNOWN),
        (HostInstance("default", "shop", "there"), Reason.HOST_UNKNOWN),
    ):
        with pytest.raises(Permanent) as refused:
            reach(gone, inventory, Params(), "r1")
        assert refused.value.reason is reason


def test_two_links_in_one_directory_are_refused(tmp_path: Path) -> None:
    """They would share a fence, and refuse each other's rollbacks. On different machines they do not."""
    shop = LocalService(tmp_path / "opt").service
    cart = LocalService(tmp_path / "opt", changes={"name": "cart", "current": str(tmp_path / "opt/cart")}).service
    with pytest.raises(Permanent, match="a directory of its own") as refused:
        reach(INSTANCE, Inventory({"shop": shop, "cart": cart}, local=True), Params(), "r1")
    assert refused.value.reason is Reason.TARGET_MISCONFIGURED
    cart = LocalService(
        tmp_path / "opt", changes={"current": cart.current, "hosts": (Host("x", "10.0.0.9"),)}
    ).service
    ssh = Ssh("deploy", "/no/key", "/no/known_hosts")
    reach(INSTANCE, Inventory({"shop": shop, "cart": cart}, ssh), Params(), "r1")


def test_a_host_that_differs_is_taken_as_it_is(tmp_path: Path) -> None:
    """What a host says of its paths holds for it alone."""
    shop = LocalService(tmp_path / "opt")
    host = Host("here", "127.0.0.1", current=str(shop.current), releases=str(shop.releases))
    shop.changes = {"hosts": (host,), "current": "/nowhere/current", "releases": "/nowhere/releases"}
    assert shop.driver().observe().running == "v1.3.0"
    assert step(shop.plan(), StepKind.SWITCH).values["current"] == str(shop.current)


def test_releases_that_are_one_file_are_told_by_their_sum(tmp_path: Path) -> None:
    """The same bits under two names; what is in a directory no sum of one file tells."""
    shop = LocalService(tmp_path / "opt", as_files=True)
    (shop.releases / "v1.2.0").write_text("v1.3.0")
    seen = {release.name: release.content for release in shop.driver().observe().releases}
    assert seen["v1.3.0"] == seen["v1.2.0"] == hashlib.sha256(b"v1.3.0").hexdigest()
    assert seen["v1.1.0"] not in ("", seen["v1.3.0"])
    folders = LocalService(tmp_path / "folders", changes={"executable": "VERSION"}).driver().observe()
    assert {release.content for release in folders.releases} == {""}


def test_a_look_says_when_what_runs_came(shop: LocalService) -> None:
    """By the change of the link: a deployer makes it beside and moves it into place."""
    seen = shop.driver().observe()
    link = shop.current.lstat()
    assert seen.arrived is not None
    assert seen.arrived.after_ms == link.st_mtime_ns // 1_000_000
    assert seen.arrived.by_ms == link.st_ctime_ns // 1_000_000
    assert seen.platform.startswith("linux/")
    assert seen.details["clock_off_s"] == 0
