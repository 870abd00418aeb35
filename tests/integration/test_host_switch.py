"""The switch changes the link it was planned for, under the host's lock and fence, and nothing else."""

from __future__ import annotations

import os
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from testbed.local_service import LocalService, step
from testbed.wait import until

from rules.decisions import Reason
from rules.errors import Permanent, RollbackError, Transient
from rules.plans import Plan, StepKind, StepState
from workers.hosts import HostDriver


@pytest.fixture
def shop(tmp_path: Path) -> LocalService:
    return LocalService(tmp_path / "opt")


def switch(driver: HostDriver, plan: Plan, fence: int, deadline_s: float = 20) -> object:
    todo = step(plan, StepKind.SWITCH)
    return driver.perform(todo, driver.before(todo), fence, deadline_s)


def refusal(driver: HostDriver, plan: Plan, fence: int) -> Reason:
    with pytest.raises(Permanent) as refused:
        switch(driver, plan, fence)
    return refused.value.reason


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("as_files", [True, False])
def test_a_link_stays_what_it_was(tmp_path: Path, *, relative: bool, as_files: bool) -> None:
    """A relative link stays relative, an absolute one absolute, for directories and for files."""
    shop = LocalService(tmp_path / "opt", relative=relative, as_files=as_files)
    seen = switch(shop.driver(), shop.plan("v1.2.0"), 7)
    assert shop.link() == shop.text("v1.2.0")
    assert seen == {"link": {"target": shop.text("v1.2.0"), "id": shop.driver().observe().arrival.split("@")[1]}}
    assert shop.driver().observe().running == "v1.2.0"
    assert shop.driver().observe().fence == 7


def test_nothing_is_dropped_inside_the_old_release(shop: LocalService) -> None:
    """Where `ln -sf` would leave a stray link in the directory that the link leads to."""
    switch(shop.driver(), shop.plan(), 1)
    assert sorted(path.name for path in shop.root.rglob("*")) == sorted(
        [".rollback", "fence", "lock", "current", "releases", *["VERSION"] * 3, "v1.1.0", "v1.2.0", "v1.3.0"]
    )


def test_a_lower_fence_is_refused(shop: LocalService) -> None:
    """After a fence is on the host, no change comes with a lower one."""
    plan = shop.plan()
    (shop.root / ".rollback").mkdir()
    (shop.root / ".rollback/fence").write_text("9 other\n")
    assert refusal(shop.driver(), plan, 8) is Reason.STALE_FENCE
    assert shop.link() == shop.text("v1.3.0")


@pytest.mark.parametrize(("owner", "goes"), [("r1", True), ("r2", False), ("", False)])
def test_an_equal_fence_is_for_the_same_rollback_only(shop: LocalService, owner: str, *, goes: bool) -> None:
    """Two rollbacks never share a fence. Each step of one leaves its time there, for a guard of the host's own."""
    plan = shop.plan()
    fence = shop.root / ".rollback/fence"
    fence.parent.mkdir()
    fence.write_text(f"9 {owner}\n")
    os.utime(fence, (1, 1))
    if goes:
        switch(shop.driver("r1"), plan, 9)
        assert shop.link() == shop.text("v1.2.0")
        assert fence.stat().st_mtime > 1
    else:
        assert refusal(shop.driver("r1"), plan, 9) is Reason.STALE_FENCE


def test_a_fence_that_is_no_number_is_not_guessed_at(shop: LocalService) -> None:
    """It says which file to look at."""
    plan = shop.plan()
    (shop.root / ".rollback").mkdir()
    (shop.root / ".rollback/fence").write_text("what is this\n")
    with pytest.raises(Permanent, match=r"\.rollback/fence does not hold a number.*remove it") as refused:
        switch(shop.driver(), plan, 9)
    assert refused.value.reason is Reason.TARGET_MISCONFIGURED


@pytest.mark.parametrize(
    "meanwhile",
    [
        pytest.param(lambda shop: shop.point_at(shop.text("v1.1.0")), id="another release"),
        pytest.param(lambda shop: shop.point_at(shop.text("v1.3.0")), id="the same release anew: another inode"),
        pytest.param(
            lambda shop: os.utime(shop.current, ns=(1, 1), follow_symlinks=False),
            id="the same inode, another mtime",
        ),
        pytest.param(lambda shop: shop.point_at(shop.text("v1.2.0")), id="the target, by somebody else"),
        pytest.param(lambda shop: shop.current.unlink(), id="gone"),
        pytest.param(lambda shop: (shop.current.unlink(), shop.current.mkdir()), id="a directory"),
    ],
)
def test_a_link_that_changed_meanwhile_is_left_alone(shop: LocalService, meanwhile: object) -> None:
    """Still the arrival that was planned against, or no change."""
    plan = shop.plan()
    meanwhile(shop)
    before = (shop.link(), shop.current.lstat().st_ino) if shop.current.is_symlink() else None
    assert refusal(shop.driver(), plan, 5) is Reason.CHANGED_MEANWHILE
    assert before == ((shop.link(), shop.current.lstat().st_ino) if shop.current.is_symlink() else None)


def test_a_release_that_was_removed_meanwhile_is_not_switched_to(shop: LocalService) -> None:
    """The link never dangles by our doing."""
    plan = shop.plan()
    (shop.releases / "v1.2.0/VERSION").unlink()
    (shop.releases / "v1.2.0").rmdir()
    assert refusal(shop.driver(), plan, 5) is Reason.RELEASE_MISSING
    assert shop.link() == shop.text("v1.3.0")


def test_done_twice_is_done_once(shop: LocalService) -> None:
    """A worker that takes over with a higher fence finds the switch done, and leaves its fence."""
    plan = shop.plan()
    first = switch(shop.driver(), plan, 5)
    assert switch(shop.driver(), plan, 6) == first
    assert shop.driver().observe().fence == 6
    assert refusal(shop.driver(), plan, 5) is Reason.STALE_FENCE


def test_two_at_once_have_one_winner(shop: LocalService) -> None:
    """Eight rollbacks planned against one arrival: one changes it, the others are told."""
    plan = shop.plan()
    barrier = threading.Barrier(8)

    def attempt(number: int) -> str:
        barrier.wait()
        try:
            switch(shop.driver(f"r{number}"), plan, 100 + number)
        except RollbackError as refused:
            return refused.reason
        return "won"

    with ThreadPoolExecutor(8) as pool:
        answers = sorted(pool.map(attempt, range(8)))
    assert answers.count("won") == 1
    assert set(answers) <= {"won", Reason.CHANGED_MEANWHILE, Reason.STALE_FENCE}


def test_a_held_lock_is_waited_for_and_then_said(shop: LocalService) -> None:
    """A deploy tool that holds the lock is not pushed aside."""
    plan = shop.plan()
    state = shop.root / ".rollback"
    state.mkdir()
    deploy = subprocess.Popen(["flock", "-o", str(state / "lock"), "cat"], stdin=subprocess.PIPE)
    try:
        until(lambda: _is_locked(state / "lock"), within_s=5, what="the deploy holds the lock")
        with pytest.raises(Transient) as busy:
            switch(shop.driver(), plan, 5, deadline_s=2)
        assert busy.value.reason is Reason.TARGET_BUSY
        assert shop.link() == shop.text("v1.3.0")
    finally:
        deploy.communicate()
    switch(shop.driver(), plan, 5, deadline_s=2)
    assert shop.link() == shop.text("v1.2.0")


def _is_locked(path: Path) -> bool:
    return path.exists() and subprocess.run(["flock", "-n", str(path), "true"], check=False).returncode == 1


def test_what_a_dead_worker_left_is_told_apart(shop: LocalService) -> None:
    """The link says the target: done. It is the very link from before: not done. Anything else: neither."""
    plan = shop.plan()
    todo, driver = step(plan, StepKind.SWITCH), shop.driver()
    before = driver.before(todo)
    assert driver.inspect(todo, before, 5) is StepState.NOT_DONE
    switch(driver, plan, 5)
    assert driver.inspect(todo, before, 6) is StepState.DONE
    shop.point_at(shop.text("v1.1.0"))
    assert driver.inspect(todo, before, 6) is StepState.NEITHER


def test_the_way_back_is_a_switch_like_any_other(shop: LocalService) -> None:
    """It restores the very text of the link, and only while the target is what we made it."""
    plan = shop.plan()
    switch(shop.driver(), plan, 5)
    driver = shop.driver()
    switch(driver, driver.plan_way_back(plan, driver.observe()), 5)
    assert shop.link() == shop.text("v1.3.0")
    shop.point_at(shop.text("v1.1.0"))
    with pytest.raises(Permanent) as refused:
        driver.plan_way_back(plan, driver.observe())
    assert refused.value.reason is Reason.CHANGED_MEANWHILE


@pytest.mark.parametrize(
    "name", ["with space", 'it\'s "quoted"', "$(touch pwned)", "`touch pwned`", "a;touch pwned", "-n"]
)
def test_names_are_data(tmp_path: Path, name: str) -> None:
    """Whatever the directories are called, nothing of it is run or read as an option."""
    shop = LocalService(tmp_path / name)
    switch(shop.driver(), shop.plan(), 5)
    driver = shop.driver()
    keep = step(shop.plan("v1.1.0"), StepKind.KEEP_STABLE)
    keep.values.update(target=shop.link(), name=name)
    driver.perform(keep, {}, 5, 10)
    assert shop.link() == "releases/v1.2.0"
    assert (shop.root / "last_stable").read_text() == f"{name}\n"
    assert not list(tmp_path.rglob("pwned"))
    assert not Path("pwned").exists()
    assert not Path("/pwned").exists()


def test_last_stable_is_not_written_for_a_release_that_does_not_run(shop: LocalService) -> None:
    """Somebody deployed between health and note."""
    plan = shop.plan()
    switch(shop.driver(), plan, 5)
    shop.point_at(shop.text("v1.1.0"))
    with pytest.raises(Permanent) as refused:
        shop.driver().perform(step(plan, StepKind.KEEP_STABLE), {}, 5, 10)
    assert refused.value.reason is Reason.CHANGED_MEANWHILE
    assert not (shop.root / "last_stable").exists()
