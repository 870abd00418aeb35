"""The doctor asks a worker about the sealing key: whoever types the command has none, and the server neither."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from testbed.redis import Redis
from testbed.worksite import Shop

from controller.settings.sealing import Audit
from rules.seals import Key
from workers.checking import check
from workers.site import Site


@pytest.fixture
def site(tmp_path: Path, redis_server: Redis) -> Iterator[Site]:
    """Give the site of a worker without a key."""
    with Shop(tmp_path, redis_server).serving() as shop, shop.site() as site:
        yield site


def told(site: Site, keys: Callable[[], Sequence[Key]]) -> tuple[str, str]:
    """Return how bad it is, and what is said."""
    (section,) = [one for one in check(replace(site, keys=keys))["sections"] if one["title"].startswith("Seals")]
    (finding,) = section["findings"]
    return finding["level"], f"{finding['what']} {finding['fix']}"


def test_no_key_is_to_be_known_of(site: Site) -> None:
    """Nothing is broken, and it says what that means and where a key comes from."""
    level, said = told(site, Audit().keys)
    assert level == "warns"
    assert "plans are not sealed" in said
    assert "docs/explanation/audit.md" in said


def test_a_key_is_named_and_not_shown(site: Site, tmp_path: Path) -> None:
    """By the name under which seals mention it, with how many older ones still count."""
    file = tmp_path / "audit.key"
    file.write_text("a" * 32 + "\n" + "b" * 32)
    file.chmod(0o600)
    audit = Audit(key_file=file)
    level, said = told(site, audit.keys)
    assert level == "well"
    assert f"sealed with key {audit.keys()[-1].name}, beside 1 older key" in said
    assert "bbbb" not in said


def test_a_key_that_cannot_be_used_is_wrong(site: Site, tmp_path: Path) -> None:
    """Then nothing begins, which nobody would see before they need it."""
    file = tmp_path / "audit.key"
    file.write_text("a" * 32)
    file.chmod(0o644)
    level, said = told(site, Audit(key_file=file).keys)
    assert level == "wrong"
    assert f"chmod o= {file}" in said
