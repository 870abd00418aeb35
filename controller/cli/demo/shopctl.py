"""What systemd is on a server, in small: keeps one instance of the shop running from behind its link.

`python shopctl.py keep FOLDER PORT` starts FOLDER/current/shop.py and starts it anew when it ends or when it is
told to; `python shopctl.py restart FOLDER` tells it to, and returns once the new process answers.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import FrameType

_WITHIN_S = 10


def keep(folder: Path, port: str) -> None:
    """Keep the instance running until SIGTERM."""
    wanted = {"restart": False, "stop": False}

    def restart(number: int, frame: FrameType | None) -> None:
        del number, frame
        wanted["restart"] = True

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        wanted["stop"] = True

    signal.signal(signal.SIGHUP, restart)
    signal.signal(signal.SIGTERM, stop)
    _write(folder / "port", port)
    _write(folder / "keeper.pid", str(os.getpid()))
    while not wanted["stop"]:
        wanted["restart"] = False
        release = (folder / "current").resolve()
        with subprocess.Popen([sys.executable, str(release / "shop.py"), port], cwd=release) as shop:
            _write(folder / "shop.pid", str(shop.pid))
            while shop.poll() is None and not (wanted["restart"] or wanted["stop"]):
                time.sleep(0.01)
            shop.terminate()


def restart(folder: Path) -> int:
    """Have the instance started anew; 0 once another process answers."""
    before = _read(folder / "shop.pid")
    os.kill(int(_read(folder / "keeper.pid")), signal.SIGHUP)
    deadline = time.monotonic() + _WITHIN_S
    while time.monotonic() < deadline:
        if _read(folder / "shop.pid") != before and _answers(_read(folder / "port")):
            return 0
        time.sleep(0.01)
    sys.stderr.write(f"{folder.name} did not come back within {_WITHIN_S} s\n")
    return 1


def _answers(port: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1):
        return True
    return False


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _write(path: Path, text: str) -> None:
    beside = path.with_suffix(".new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


if __name__ == "__main__":
    if sys.argv[1] == "keep":
        keep(Path(sys.argv[2]), sys.argv[3])
    else:
        sys.exit(restart(Path(sys.argv[2])))
