"""`rollbackctl demo` shows the main job on this machine, says how it went, and leaves nothing behind."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from testbed.installation import CLI
from testbed.programs import started


def test_the_demo_ends_by_itself_with_the_canary_back_and_nothing_left(tmp_path: Path) -> None:
    """It needs no settings, no root and no network; a demo that hangs is ended, and fails."""
    with tempfile.TemporaryDirectory(prefix="rb-") as home:
        env = {"HOME": home, "TMPDIR": home, "ROLLBACK_CONFIG": ""}
        with started("demo", [sys.executable, "-c", CLI, "demo"], tmp_path, env) as demo:
            code = demo.process.wait(timeout=60)
            left = demo.family()
            story = demo.log()
        files = sorted(path.name for path in Path(home).iterdir())
    assert code == 0, story
    assert left == [], "processes outlive the demo"
    assert "v1.3.0" in story
    assert "v1.2.0" in story
    assert 6 <= len([line for line in story.splitlines() if line.strip()]) <= 40, story
    assert files == [], "files outlive the demo"
