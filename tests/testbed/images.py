"""Images of a small shop, written without a container engine: one layer with Debian's static busybox.

`python -m testbed.images FOLDER` writes them as archives for a cluster of one's own
(`kind load image-archive`, `ctr -n k8s.io images import`, `docker load`).
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path

from testbed.debian_package import busybox

PORT = 8080
APPLETS = ("sh", "httpd", "sleep", "cat", "echo", "ls", "rm", "mkdir", "touch", "wget", "kill", "ps", "date")
REPOSITORY = "localhost/rollback-testbed/shop"
"""What the images are called where no registry of the testbed's own gives them a better name."""

SERVE = """\
echo "shop {version} listens on 8080"
trap 'exit 0' TERM
httpd -f -p 8080 -h /www &
wait
"""
SICK = 'echo "shop {version}: cannot reach the database at db.internal:5432" >&2\n' + SERVE
CRASH = 'echo "shop {version}: cannot open /etc/shop/tariffs.json: no such file" >&2\nexit 3\n'
PAUSE = "while true; do sleep 86400; done\n"

VARIANTS = {"v1": "good", "v2": "good", "v3": "bad", "bad": "bad", "crash": "crash"}
"""Tag → how it behaves."""
BEHAVIOURS = {"good": SERVE, "bad": SICK, "crash": CRASH, "pause": PAUSE}


def write_archive(file: Path, version: str, behaves: str, name: str | None = None) -> Path:
    """Write a docker-archive of a shop.

    `good` serves /healthz, /version and /metrics; `bad` no /healthz, so that its readiness probe fails, and its
    metrics say so; `crash` says why on stderr and exits with 3.
    """
    layer = _layer(version, behaves)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2020-01-01T00:00:00Z",
        "config": {"Cmd": ["/bin/sh", "/start"], "Env": ["PATH=/bin"], "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        "history": [{"created": "2020-01-01T00:00:00Z", "created_by": "testbed"}],
    }
    body = json.dumps(config).encode()
    config_name = f"{hashlib.sha256(body).hexdigest()}.json"
    tag = name or f"{REPOSITORY}:{version}"
    manifest = [{"Config": config_name, "RepoTags": [tag], "Layers": ["layer.tar"]}]
    files = {"manifest.json": json.dumps(manifest).encode(), config_name: body, "layer.tar": layer}
    file.write_bytes(_tar({name: (content, 0o644) for name, content in files.items()}))
    return file


def write_all(folder: Path) -> dict[str, Path]:
    """Write every variant of the shop and return tag → archive."""
    folder.mkdir(parents=True, exist_ok=True)
    return {tag: write_archive(folder / f"shop-{tag}.tar", tag, behaves) for tag, behaves in VARIANTS.items()}


def _layer(version: str, behaves: str) -> bytes:
    files = {
        "bin/busybox": (busybox().read_bytes(), 0o755),
        "start": (BEHAVIOURS[behaves].replace("{version}", version).encode(), 0o755),
        "www/version": (f"{version}\n".encode(), 0o644),
        "www/index.html": (f"shop {version}\n".encode(), 0o644),
    }
    failing = int(behaves != "good")
    files["www/metrics"] = (f"# TYPE shop_failing gauge\nshop_failing {failing}\n".encode(), 0o644)
    if behaves == "good":
        files["www/healthz"] = (b"ok\n", 0o644)
    return _tar(files, links={f"bin/{applet}": "busybox" for applet in APPLETS})


def _tar(files: dict[str, tuple[bytes, int]], links: dict[str, str] | None = None) -> bytes:
    """Pack the same bytes every time: an image's digest depends on nothing but its content."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for folder in sorted({name.rsplit("/", 1)[0] for name in files if "/" in name}):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for name, (content, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, target, 0o777
            tar.addfile(entry)
    return packed.getvalue()


if __name__ == "__main__":
    for written in write_all(Path(sys.argv[1])).values():
        print(written)
