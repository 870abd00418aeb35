"""The product's image, built from its Dockerfile, runs where everything is forbidden that a pod can do without.

No user but its own, no writable root, no capability, no shell: server, workers and command line all do their work,
and end in time when they are asked to.
"""

from __future__ import annotations

import json
import re
import urllib.request
from pathlib import PurePosixPath

import pytest
from testbed.cluster import Cluster
from testbed.product_image import ProductImage, product_image
from testbed.product_pod import USER, ProductPod, start_pod
from testbed.wait import until

MIB = 1024 * 1024
LARGEST = 230 * MIB
"""Unpacked; a download is a third of it. The docs say so, and whoever needs more changes both."""
SHELLS = r"(ba|da|a|z|c|tc|k|mk|fi|r)?sh|busybox|toybox"
INSTALLERS = r"apt(-.*)?|dpkg(-.*)?|pip[0-9.]*|easy_install.*|perl.*|rpm"
COMPILERS = r"([a-z0-9_]+-linux-gnu-)?(gcc|g\+\+|cc|c\+\+|cpp|ld|as|ar|make|clang|tcc|go|rustc)([-.0-9]*)"
TOOLS = r"curl|wget|nc|ncat|su|sudo|mount|chroot|nsenter|ssh"
NOT_INSIDE = re.compile(f"({SHELLS}|{INSTALLERS}|{COMPILERS}|{TOOLS})")


@pytest.fixture(scope="module")
def image() -> ProductImage:
    """Build the image of this checkout, or take it from the cache."""
    return product_image()


@pytest.fixture
def pod(cluster: Cluster, namespace: str, image: ProductImage) -> ProductPod:
    """Start a pod that may do as little as Pod Security's "restricted" allows."""
    return start_pod(cluster, namespace, image)


def test_nothing_is_inside_that_only_an_intruder_would_use(image: ProductImage) -> None:
    """No shell, no package manager, no compiler; nothing set-uid; nothing to be written but /tmp."""
    files = image.files()
    programs = {path for path, entry in files.items() if not entry.isdir() and entry.mode & 0o111}
    inside = {path for path in programs if NOT_INSIDE.fullmatch(PurePosixPath(path).name)}
    assert not inside
    assert "/opt/rollback-controller/bin/rollbackctl" in programs
    assert sorted(path for path in files if re.match(r"/(usr/)?s?bin/.", path)) == [
        "/usr/bin/python3",
        "/usr/bin/python3.11",
    ]
    assert not [path for path, entry in files.items() if entry.mode & 0o6000], "set-uid or set-gid"
    open_to_all = [path for path, entry in files.items() if entry.mode & 0o002 and not entry.issym()]
    assert open_to_all == ["/tmp"]
    assert files["/tmp"].mode & 0o7777 == 0o1777
    assert not [path for path, entry in files.items() if USER in (entry.uid, entry.gid)], "it owns nothing"


def test_everything_that_runs_is_compiled_already(image: ProductImage) -> None:
    """Nobody can write bytecode there, so that a start would compile all of it, each time."""
    files = image.files()
    own = [path for path in files if re.search(r"/site-packages/(rules|controller|workers)/.*\.py$", path)]
    assert len(own) > 100
    for path in own:
        source = PurePosixPath(path)
        assert str(source.parent / "__pycache__" / f"{source.stem}.cpython-311.pyc") in files


def test_it_says_what_it_is(image: ProductImage) -> None:
    """Its labels are OCI's annotations; its user is a number, which `runAsNonRoot` can judge."""
    said = image.config["config"]
    assert said["User"] == f"{USER}:{USER}"
    assert said["Entrypoint"] == ["rollbackctl"]
    labels = {key.removeprefix("org.opencontainers.image."): value for key, value in said["Labels"].items()}
    assert labels["title"] == "rollback-controller"
    assert labels["licenses"] == "Apache-2.0"
    assert {"version", "revision", "source", "description", "base.name"} <= labels.keys()
    scanned = [path for path in image.files() if path.startswith("/var/lib/dpkg/status.d/")]
    assert "/var/lib/dpkg/status.d/libc6" in scanned, "scanners find Debian's packages by these"


def test_it_is_small(image: ProductImage) -> None:
    """What a node has to pull and to keep has a limit."""
    size = sum(entry.size for entry in image.files().values())
    print(f"the image holds {size / MIB:.0f} MiB in {len(image.files())} files")
    assert size < LARGEST


def test_server_workers_and_command_run_with_nothing_allowed(pod: ProductPod) -> None:
    """All three are this image with other arguments; asked to stop, the first process ends all others, and well.

    The workers' supervisor is the first process of its container: it inherits what a killed process leaves behind.
    """
    address = pod.address()
    assert pod.log("version").startswith("rollbackctl ")
    assert ask(f"{address}/livez") == "ok"
    until(
        lambda: "[!]" not in ask(f"{address}/readyz?verbose"),
        within_s=30,
        what="it complains of nothing: workers too",
    )
    confined = json.loads(pod.inside("worker", CONFINED))
    assert confined == {"user": USER, "group": USER, "capabilities": 0, "no_new_privileges": 1, "filter": 2,
                        "root": "read-only", "first": True}  # fmt: skip
    pod.inside("worker", ORPHAN)
    until(
        lambda: pod.inside("worker", ZOMBIES).strip() == "0", within_s=20, what="the dead are buried", every_s=0.5
    )
    assert pod.stop("serve", "worker") == {"serve": 0, "worker": 0}
    assert "supervisor.stopped" in pod.log("worker")


CONFINED = """
import json, os, pathlib
said = dict(line.split(":", 1) for line in pathlib.Path("/proc/1/status").read_text().splitlines())
try:
    pathlib.Path("/etc/written").write_text("")
    root = "writable"
except OSError as error:
    root = "read-only" if error.errno == 30 else str(error)
print(json.dumps({
    "user": int(said["Uid"].split()[0]), "group": int(said["Gid"].split()[0]),
    "capabilities": int(said["CapBnd"], 16) | int(said["CapEff"], 16),
    "no_new_privileges": int(said["NoNewPrivs"]), "filter": int(said["Seccomp"]), "root": root,
    "first": b"workers" in pathlib.Path("/proc/1/cmdline").read_bytes(),
}))
"""
"""What the kernel says of the first process; 2 is a seccomp filter."""
ORPHAN = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(0.3)
        os._exit(0)
    os._exit(0)
os.wait()
"""
ZOMBIES = """
import pathlib
states = []
for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
    try:
        states.append(status.read_text().rpartition(")")[2].split()[0])
    except OSError:
        pass
print(states.count("Z"))
"""


def ask(url: str) -> str:
    """Return what the server says."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=5) as answer:
        return str(answer.read().decode()).strip()
