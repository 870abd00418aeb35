"""Control groups of the testbed's own: whatever runs in one belongs to the test run that made it.

On a machine with the older layout each resource has a tree of its own; with the newer there is one.
"""

from __future__ import annotations

import contextlib
import os
import signal
from functools import partial
from pathlib import Path

from testbed.wait import until

HOME = Path("/sys/fs/cgroup")
IN_OWN_GROUPS = """\
name=$1; shift
for tree in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
  [ -e "$tree/cgroup.procs" ] || continue
  mkdir -p "$tree/$name" && echo $$ > "$tree/$name/cgroup.procs" || echo "no control group in $tree" >&2
done
exec "$@"
"""
"""`sh -c IN_OWN_GROUPS sh NAME PROGRAM …` runs a program, and all it starts, in groups of that name.

Two hosts in one control group would see, and wait for, each other's units.
"""


def trees() -> list[Path]:
    """Return the roots of this machine's control groups."""
    one = [HOME] if (HOME / "cgroup.procs").exists() else []
    return one or [path for path in HOME.iterdir() if (path / "cgroup.procs").exists() and not path.is_symlink()]


def make_everywhere(name: str) -> None:
    """Make an empty group for others to put groups into, in every tree, with all that its parent can count."""
    for tree in trees():
        group = tree / name
        group.mkdir(exist_ok=True)
        offered = tree / "cgroup.controllers"
        if offered.exists():
            wanted = " ".join(f"+{controller}" for controller in offered.read_text().split())
            for parent in (tree, group):
                with contextlib.suppress(OSError):
                    (parent / "cgroup.subtree_control").write_text(wanted)


def processes(prefix: str) -> list[int]:
    """Return the ids of the processes in the groups that bear the prefix."""
    return sorted({pid for group in _groups(prefix) for pid in _in(group)})


def end_and_remove(prefix: str) -> None:
    """Kill what runs in the groups that bear the prefix, and remove them."""
    groups = _groups(prefix)
    for group in groups:
        until(partial(_ended, group), within_s=20, what=f"no process is left in {group}")
    for group in sorted(groups, reverse=True):
        with contextlib.suppress(OSError):
            group.rmdir()


def _groups(prefix: str) -> set[Path]:
    tops = (top for tree in trees() for top in tree.glob(f"{prefix}*"))
    return {path for top in tops for path in (top, *top.glob("**/")) if path.is_dir()}


def _in(group: Path) -> list[int]:
    try:
        return [int(pid) for pid in (group / "cgroup.procs").read_text().split()]
    except OSError:  # removed, or one whose processes count where its threads do
        return []


def _ended(group: Path) -> bool:
    """Kill once more; whether nothing was left to kill."""
    pids = _in(group)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return not pids
