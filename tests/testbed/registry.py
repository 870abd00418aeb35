"""A container registry on loopback: Debian's docker-registry, filled with skopeo."""

from __future__ import annotations

import contextlib
import json
import subprocess
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from testbed.parts import program
from testbed.programs import Program, accepts, free_port, started
from testbed.wait import until


@dataclass(frozen=True, slots=True)
class Registry:
    """One registry, speaking plain HTTP, which container runtimes accept of a loopback address alone."""

    folder: Path
    port: int = field(default_factory=free_port)

    @property
    def address(self) -> str:
        """The part of an image's name before the first slash."""
        return f"127.0.0.1:{self.port}"

    def push(self, archive: Path, name: str) -> str:
        """Push a docker-archive as `shop/app:v1`, over whatever bears that tag, and return its digest."""
        digest_file = self.folder / f"{name.replace('/', '-').replace(':', '-')}.digest"
        argv = [program("skopeo"), "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false"]
        argv += [f"--digestfile={digest_file}", f"docker-archive:{archive}", f"docker://{self.address}/{name}"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, f"skopeo: {done.stderr}"
        return digest_file.read_text().strip()

    def push_all(self, archives: dict[str, Path]) -> dict[str, str]:
        """Push name → archive side by side and return name → digest."""
        with ThreadPoolExecutor() as pool:
            return dict(zip(archives, pool.map(self.push, archives.values(), archives), strict=True))

    def tags(self, repository: str) -> list[str]:
        """Return the tags of `shop/app`."""
        with _OPENER.open(f"http://{self.address}/v2/{repository}/tags/list", timeout=5) as answer:
            return sorted(json.load(answer)["tags"] or [])

    def forget(self, repository: str, digest: str) -> None:
        """Delete an image, as a registry's clean-up does: nobody can pull it any more, by tag or by digest."""
        url = f"http://{self.address}/v2/{repository}/manifests/{digest}"
        with _OPENER.open(urllib.request.Request(url, method="DELETE"), timeout=5) as answer:
            assert answer.status == 202


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@contextlib.contextmanager
def registry(folder: Path) -> Iterator[Registry]:
    """Start an empty registry."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Registry(folder)
    config = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(folder / "data")},
            "delete": {"enabled": True},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        "http": {"addr": made.address},
    }
    (folder / "config.json").write_text(json.dumps(config))
    argv = [program("docker-registry"), "serve", str(folder / "config.json")]
    with started("registry", argv, folder) as server:
        until(lambda: _listens(server, made.port), within_s=10, what="the registry listens")
        yield made


def _listens(server: Program, port: int) -> bool:
    return server.running() and accepts(port)
