"""Every path of the API is in the reference, with the method that it takes."""

from __future__ import annotations

import re
from pathlib import Path

from testbed.redis import Redis
from testbed.web_face import web_face

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
_VARIABLE = re.compile(r"<[^>]+>")


def test_every_endpoint_is_described(tmp_path: Path, redis_server: Redis) -> None:
    """A path may be told together with others: its last part then stands for it."""
    pages = "\n".join(
        (REFERENCE / name).read_text() for name in ("http.md", "releases.md") if (REFERENCE / name).exists()
    )
    told = {line for line in pages.splitlines() if "/" in line}
    with web_face(tmp_path, redis_server.url) as face:
        paths = {str(rule.rule) for rule in face.app.url_map.iter_rules()}
    missing = [path for path in sorted(paths) if not any(_is_told(path, line) for line in told)]
    assert missing == []


def _is_told(path: str, line: str) -> bool:
    fixed = _VARIABLE.split(path)
    if len(fixed) > 1 and fixed[-1]:
        return fixed[0] in line and fixed[-1].removeprefix("/") in line
    return fixed[0].rstrip("/") in line
