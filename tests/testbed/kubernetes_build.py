"""The Kubernetes control plane and kubelet, built once from Debian's source package and kept in the cache.

Debian ships `kubectl` as a package (see `testbed.debian_package`) and all the rest as source only.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from testbed.debian_package import unpacked
from testbed.parts import PartMissingError, cache_dir, install, on_debian_as_root

PART = "Kubernetes cluster"
VERSION = "1.20.2"
"""The upstream version of the source in bookworm; another one there is a reason to look, not to build."""
PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet")
GO = Path("/usr/lib/go-1.19/bin")
"""Newer Go does not build the libraries that this source brings along."""
TOOLS = ("golang-1.19-go", "dpkg-dev", "make", "jq", "rsync")
FLAGS = {"GOLDFLAGS": "-s -w"}
ENVIRONMENT = {"CGO_ENABLED": "0", "LC_ALL": "C.UTF-8"}
PACE = {
    "plegRelistPeriod = time.Second * 1": "plegRelistPeriod = time.Millisecond * 200",
    "housekeepingPeriod = time.Second * 2": "housekeepingPeriod = time.Millisecond * 500",
    "ContainerGCPeriod = time.Minute": "ContainerGCPeriod = time.Second * 2",
}
"""What is changed in the kubelet: how often it looks, nothing else.

A pod is gone after five looks. When a container dies between two of them, the kubelet of this version forgets the
pod's sandbox until its next clean-up, and the pod stays "Terminating" for up to a minute.
"""
NEWER = {"github.com/modern-go/reflect2": "golang-github-modern-go-reflect2-dev"}
"""Library → the Debian package that stands in for the copy the source brings along.

The copy walks maps in a way that Go 1.18 took away: with it the API server dies of the first custom resource, and
of the first admission webhook that patches.
"""


def built_kubernetes() -> Path:
    """Return the folder with the programs, or raise `PartMissingError`: a test never compiles for minutes."""
    place = _place()
    if not place.exists():
        raise PartMissingError(PART, "not built on this machine yet; run `make test` as root on Debian")
    return place


def build_kubernetes() -> Path:
    """Return the folder with the programs, building them (about five minutes) if this machine has none yet."""
    if not on_debian_as_root():
        raise PartMissingError(PART, "needs root on Debian")
    place = _place()
    with (cache_dir() / "kubernetes.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            _build(place)
    return place


def _place() -> Path:
    recipe = repr((PROGRAMS, GO, *(sorted(part.items()) for part in (FLAGS, ENVIRONMENT, PACE, NEWER))))
    return cache_dir() / f"kubernetes-{VERSION}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


def _build(place: Path) -> None:
    """Build beside and rename: half a build is never taken for a whole one, and the sources do not stay."""
    work, log_file = (place.with_name(f"{place.name}.{what}") for what in ("half", "log"))
    shutil.rmtree(work, ignore_errors=True)
    (work / "done").mkdir(parents=True)
    try:
        with log_file.open("w") as log:
            _say("installing the compiler")
            install(list(TOOLS))
            _say("fetching the source")
            tree = _source(work, log.fileno())
            _quicken(tree / "pkg/kubelet/kubelet.go")
            _renew(tree / "vendor")
            _say(f"compiling it, about five minutes on two cores; it writes to {log_file}")
            _compile(tree, work, log.fileno())
        for name in PROGRAMS:
            shutil.move(tree / "_output/bin" / name, work / "done" / name)
        (work / "done").rename(place)
    except subprocess.CalledProcessError as error:
        tail = " / ".join(log_file.read_text(errors="replace").strip().splitlines()[-3:])
        raise PartMissingError(PART, f"{' '.join(error.cmd)} failed, see {log_file}: {tail}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _say("built")


def _source(work: Path, log: int) -> Path:
    """Unpack the source package, patches applied, from wherever this machine's own apt takes its packages."""
    ours = _sources_of_our_own(work)
    _run(["apt-get", *ours, "update"], work, log)
    _run(["apt-get", *ours, "source", "kubernetes"], work, log)
    trees = [path for path in work.glob("kubernetes-*") if path.is_dir()]
    if len(trees) != 1 or VERSION not in trees[0].name:
        found = ", ".join(tree.name for tree in trees) or "nothing"
        raise PartMissingError(PART, f"the testbed wants the source of {VERSION}; apt has {found}")
    return trees[0]


def _sources_of_our_own(work: Path) -> list[str]:
    """Say `deb-src` where the machine says `deb`, in files of our own: the machine's stay as they are."""
    line = "deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)"
    targets = ["apt-get", "indextargets", "--format", line, "Created-By: Packages", "Origin: Debian"]
    listed = subprocess.run(targets, capture_output=True, text=True, check=True).stdout
    sources, lists = work / "sources.list", work / "lists"
    sources.write_text(listed)
    lists.mkdir()
    options = {
        "Dir::Etc::sourcelist": str(sources),
        "Dir::Etc::sourceparts": "-",
        "Dir::State::Lists": str(lists),
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "APT::Sandbox::User": "root",
    }
    return [word for key, value in options.items() for word in ("-o", f"{key}={value}")]


def _quicken(source: Path) -> None:
    text = source.read_text()
    for slow, quick in PACE.items():
        if text.count(slow) != 1:
            raise PartMissingError(PART, f"{source.name} of this source has no single {slow!r}")
        text = text.replace(slow, quick)
    source.write_text(text)


def _renew(vendor: Path) -> None:
    for library, package in NEWER.items():
        old, new = vendor / library, unpacked(package) / "usr/share/gocode/src" / library
        if not (old.is_dir() and new.is_dir()):
            raise PartMissingError(PART, f"{library} is not in both the source and Debian's {package}")
        shutil.rmtree(old)
        shutil.copytree(new, old)


def _compile(tree: Path, work: Path, log: int) -> None:
    """Build as the package's own rules do, but only what a cluster of one node needs."""
    link = tree / ".go/src/k8s.io/kubernetes"
    link.parent.mkdir(parents=True)
    link.symlink_to(tree)
    own = {"GOPATH": str(tree / ".go"), "GOCACHE": str(work / "go-cache"), "HOME": str(work)}
    path = {"PATH": f"{GO}:/usr/sbin:/usr/bin:/sbin:/bin"}
    what = " ".join(f"cmd/{name}" for name in PROGRAMS)
    flags = [f"{key}={value}" for key, value in FLAGS.items()]
    _run(["make", f"WHAT={what}", *flags], tree, log, {**ENVIRONMENT, **own, **path})


def _run(argv: list[str], folder: Path, log: int, env: dict[str, str] | None = None) -> None:
    subprocess.run(
        argv,
        cwd=folder,
        env=env if env is not None else dict(os.environ),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        check=True,
        timeout=3600,
    )


def _say(words: str) -> None:
    sys.stderr.write(f"testbed: Kubernetes {VERSION}: {words}\n")
