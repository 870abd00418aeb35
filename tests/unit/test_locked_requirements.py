"""The locked requirements hold every dependency with its hashes, for every platform, and name no index."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
LOCKS: dict[str, list[str]] = {
    "requirements.txt": [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["build"]],
    "requirements-dev.txt": [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]],
}


def pins(lock: str) -> dict[str, str]:
    """Return each locked name with its version."""
    text = (REPOSITORY / lock).read_text()
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)", text, flags=re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_dependency_is_locked_at_a_version_the_project_allows(lock: str) -> None:
    """Somebody who changes pyproject.toml without `make lock` hears of it here."""
    locked = pins(lock)
    for wanted in map(Requirement, LOCKS[lock]):
        name = canonicalize_name(wanted.name)
        assert name in locked, f"{name} is not in {lock}: run `make lock`"
        assert wanted.specifier.contains(locked[name]), f"{lock} has {name} {locked[name]}: run `make lock`"


@pytest.mark.parametrize("lock", LOCKS)
def test_no_address_and_no_option_is_in_a_lock(lock: str) -> None:
    """Where packages come from is the business of pip's own configuration."""
    lines = (REPOSITORY / lock).read_text().splitlines()
    assert [line for line in lines if "://" in line or line.startswith("-")] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_hashes(lock: str) -> None:
    """A package without one would be taken from anybody."""
    blocks = re.split(r"\n(?=[A-Za-z0-9])", (REPOSITORY / lock).read_text())
    pinned = [block for block in blocks if re.match(r"[A-Za-z0-9._-]+(\[[^]]*\])?==", block)]
    assert len(pinned) == len(pins(lock))
    assert [block.splitlines()[0] for block in pinned if "--hash=sha256:" not in block] == []


def test_both_locks_agree() -> None:
    """What is tested is what is installed."""
    runtime, dev = pins("requirements.txt"), pins("requirements-dev.txt")
    assert {name: dev.get(name) for name in runtime} == runtime
