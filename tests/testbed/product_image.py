"""The product's own image, built from its Dockerfile without a container engine, and kept by its content.

`PYTHONPATH=tests python -m testbed.product_image` builds it and says where the archive is.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from packaging.requirements import Requirement

from testbed.base_image import LEFT_OUT, PART, base_root, python_of
from testbed.parts import PartMissingError, cache_dir, program
from testbed.programs import REPOSITORY

NAME = "localhost/rollback-controller:testbed"
BUILT_FROM = (
    *("Dockerfile", ".dockerignore", "docker", "requirements.txt", "pyproject.toml", "README.md", "LICENSE"),
    *("rules", "controller", "workers"),
)
PLATFORMS = ("manylinux2014_x86_64", *(f"manylinux_2_{minor}_x86_64" for minor in range(17, 37)))
"""Which wheels Debian 12 on this kind of machine can load."""
IN_MEMORY = Path("/dev/shm")
ROOM = 4 * 1024**3
KEPT = 2
"""How many images stay in the cache: checkouts side by side do not take each other's away."""


@dataclass(frozen=True, slots=True)
class ProductImage:
    """A built image as an archive that `ctr images import`, `docker load` and skopeo take."""

    archive: Path

    @property
    def config(self) -> dict[str, Any]:
        """What the image says of itself: user, command, labels, variables."""
        with tarfile.open(self.archive) as tar:
            manifest = json.load(_file(tar, "manifest.json"))[0]
            found: dict[str, Any] = json.load(_file(tar, manifest["Config"]))
        return found

    @contextlib.contextmanager
    def layers(self) -> Iterator[list[tarfile.TarFile]]:
        """Open the layers, the lowest first."""
        with contextlib.ExitStack() as stack:
            tar = stack.enter_context(tarfile.open(self.archive))
            names = json.load(_file(tar, "manifest.json"))[0]["Layers"]
            yield [stack.enter_context(tarfile.open(fileobj=_file(tar, name))) for name in names]

    def files(self) -> dict[str, tarfile.TarInfo]:
        """Return every path of the root file system; nothing of a lower layer is taken away by a higher one."""
        with self.layers() as layers:
            return {str(PurePosixPath("/", entry.name)): entry for layer in layers for entry in layer}


def product_image() -> ProductImage:
    """Return the image of this checkout, building it (half a minute) if it is not there yet."""
    root = base_root()
    content = _content()
    place = cache_dir() / f"product-image-{content}"
    with (cache_dir() / "product-image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            _build(root, place, content)
    return ProductImage(place / "image.tar")


def base_name() -> str:
    """Return the name that the Dockerfile's build starts from."""
    lines = (REPOSITORY / "Dockerfile").read_text().splitlines()
    return next(line.partition("=")[2] for line in lines if line.startswith("ARG BASE="))


def wheels(root: Path) -> Path:
    """Return a folder with the locked wheels for the Python of that root, from where our own pip takes them."""
    python = python_of(root)
    locked = (REPOSITORY / "requirements.txt").read_text()
    key = hashlib.sha256(json.dumps([locked, python, PLATFORMS]).encode()).hexdigest()[:12]
    place = cache_dir() / f"wheels-{key}"
    if place.exists():
        return place
    with tempfile.TemporaryDirectory(dir=cache_dir()) as name:
        wanted = Path(name, "requirements.txt")
        wanted.write_text("\n".join(_in_force(locked, python)))
        abi = "cp" + python["python_version"].replace(".", "")
        argv = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        argv += ["--only-binary=:all:", "--implementation=cp", f"--python-version={python['python_version']}"]
        argv += [f"--abi={one}" for one in (abi, "abi3", "none")]
        argv += [f"--platform={one}" for one in PLATFORMS]
        _run([*argv, "--require-hashes", "--dest", str(Path(name, "wheels")), "--requirement", str(wanted)])
        _forget_older("wheels-")
        Path(name, "wheels").rename(place)
    return place


def _in_force(locked: str, python: dict[str, str]) -> Iterator[str]:
    """Keep what is asked for by that Python; pip would go by the one it runs in."""
    joined = locked.replace("\\\n", " ").splitlines()
    for line in (line for line in joined if line.strip() and not line.lstrip().startswith("#")):
        said, *hashes = line.split(" --hash=")
        requirement = Requirement(said.strip())
        if requirement.marker is None or requirement.marker.evaluate(dict(python)):
            requirement.marker = None
            yield " --hash=".join([str(requirement), *(one.strip() for one in hashes)])


def _content() -> str:
    """Name what the image is built from: every file that goes in, and how it is built."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *BUILT_FROM],
        cwd=REPOSITORY, capture_output=True, check=True,
    ).stdout.split(b"\0")  # fmt: skip
    known = hashlib.sha256(Path(__file__).read_bytes())
    for name in sorted(filter(None, listed)):
        path = REPOSITORY / os.fsdecode(name)
        if path.is_file():
            known.update(name + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return known.hexdigest()[:12]


def _build(root: Path, place: Path, content: str) -> None:
    """Build in a storage that is thrown away, beside, and rename."""
    started = time.monotonic()
    found = wheels(root)
    half = place.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir()
    with tempfile.TemporaryDirectory(dir=_work_folder(), prefix="rollback-image-") as name:
        buildah = _Buildah(Path(name))
        buildah.commit(root, base_name())
        made = {"PIP_NO_INDEX": "1", "REVISION": content}
        argv = ["bud", "--quiet", "--pull-never", f"--build-context=wheels={found}"]
        argv += [f"--build-arg={key}={value}" for key, value in made.items()]
        buildah(*argv, "--timestamp=0", "--tag", NAME, str(REPOSITORY))
        buildah("push", "--quiet", NAME, f"docker-archive:{half / 'image.tar'}:{NAME}")
    _forget_older("product-image-")
    half.rename(place)
    sys.stderr.write(f"testbed: the product's image was built in {time.monotonic() - started:.0f} s\n")


class _Buildah:
    """Debian's buildah with all that it keeps in a folder of its own, and without namespaces for its steps."""

    def __init__(self, folder: Path) -> None:
        self._argv = [program("buildah"), "--storage-driver=vfs", f"--root={folder / 'store'}"]
        self._argv += [f"--runroot={folder / 'run'}"]

    def __call__(self, *words: str) -> str:
        return _run([*self._argv, *words], BUILDAH_ISOLATION="chroot").strip()

    def commit(self, root: Path, name: str) -> None:
        """Make an image of a folder."""
        container = self("from", "scratch")
        into = self("mount", container)
        _run(["cp", "--archive", f"{root}/.", into])
        for left in LEFT_OUT:
            shutil.rmtree(Path(into, left), ignore_errors=True)
        self("umount", container)
        self("commit", "--quiet", "--rm", container, name)


def _run(argv: list[str], **variables: str) -> str:
    env = {**os.environ, **variables}
    done = subprocess.run(
        argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=600
    )
    if done.returncode != 0:
        tail = " / ".join((done.stdout + done.stderr).strip().splitlines()[-3:])
        raise PartMissingError(PART, f"{' '.join(argv[:2])} … failed: {tail}")
    return done.stdout


def _work_folder() -> Path:
    """Return where there is room to copy a root a dozen times: memory, if it can be spared."""
    room = os.statvfs(IN_MEMORY) if IN_MEMORY.is_dir() else None
    return IN_MEMORY if room is not None and room.f_bavail * room.f_frsize > ROOM else cache_dir()


def _forget_older(prefix: str) -> None:
    """Keep the newest only: each is some hundred megabytes."""
    whole = [place for place in cache_dir().glob(f"{prefix}*") if place.is_dir() and not place.suffix]
    for old in sorted(whole, key=lambda place: place.stat().st_mtime)[: -KEPT + 1]:
        shutil.rmtree(old, ignore_errors=True)


def _file(tar: tarfile.TarFile, name: str) -> Any:
    found = tar.extractfile(name)
    assert found is not None, name
    return found


if __name__ == "__main__":
    print(product_image().archive)
