"""What the Dockerfile promises can be read off it, without building anything."""

from __future__ import annotations

import json
import re
import runpy
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = "\n".join(line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#"))
STEPS = re.sub(r"\\\n\s*", "", TEXT).splitlines()
STAGES = [index for index, step in enumerate(STEPS) if step.startswith("FROM ")]
RESULT = [step for step in STEPS[STAGES[-1] :] if step]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def said(word: str, steps: list[str] = RESULT) -> list[str]:
    """Return what is said after a word, once for each step."""
    return [step.removeprefix(word).strip() for step in steps if step.startswith(f"{word} ")]


def test_the_result_starts_from_nothing_and_runs_nothing_in_its_build() -> None:
    """Whatever the base image holds stays behind: shell, package manager, compiler."""
    assert RESULT[0] == "FROM scratch"
    assert not said("RUN")
    assert all(copied.startswith("--from=build /image/") for copied in said("COPY"))


def test_it_starts_without_a_shell_as_a_user_known_by_number() -> None:
    """The exec form makes our process the first one, which the signals go to."""
    assert json.loads(said("ENTRYPOINT")[0]) == ["rollbackctl"]
    assert json.loads(said("CMD")[0]) == ["--help"]
    user = runpy.run_path(str(ROOT / "docker/assemble_root.py"))["USER"]
    assert said("USER") == [f"{user}:{user}"]
    assert said("STOPSIGNAL") == ["SIGTERM"]


@pytest.mark.parametrize(
    "name", ["title", "description", "version", "revision", "source", "licenses", "base.name"]
)
def test_its_labels_are_those_of_the_oci(name: str) -> None:
    """Tools find version, revision, source and licences where they look for them."""
    assert f"org.opencontainers.image.{name}=" in said("LABEL")[0]


def test_its_defaults_are_the_projects() -> None:
    """Who builds it without arguments gets this version and this licence."""
    assert f"VERSION={PROJECT['version']}" in said("ARG")
    assert f"LICENSES={PROJECT['license']}" in said("ARG")
    assert PROJECT["description"] in said("LABEL")[0]


def test_everything_installed_is_locked() -> None:
    """From an index only what the lock's hashes name, and only wheels; our own package from here."""
    installs = [step for step in STEPS if " install " in step]
    assert len(installs) == 2
    assert "--require-hashes -r requirements.txt" in installs[0]
    assert "--only-binary :all:" in installs[0]
    assert "--no-index --no-deps --no-build-isolation ." in installs[1]
    assert not [step for step in STEPS if re.search(r"\b(curl|wget|ADD|apt-get)\b|https?://(?!example)", step)]


def test_the_base_is_glibcs_and_a_python_that_we_support() -> None:
    """google-re2 has wheels for glibc only."""
    assert said("FROM", STEPS)[1] == "${BASE} AS build"
    base = said("ARG", STEPS)[0].removeprefix("BASE=")
    assert (found := re.fullmatch(r"docker\.io/library/python:(\d+)\.(\d+)-slim-bookworm", base))
    assert PROJECT["requires-python"] == f">={found[1]}.{found[2]}"
    assert "BASE" in said("ARG")
    assert 'image.base.name="${BASE}"' in said("LABEL")[0]


def test_what_is_not_copied_does_not_even_reach_the_build() -> None:
    """.dockerignore lets in what the Dockerfile copies from here, and nothing else: no secret, no .git."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[1] == "*"
    let_in = {line.removeprefix("!") for line in lines if line.startswith("!")}
    own = [words.split()[:-1] for words in said("COPY", STEPS) if not words.startswith("--from")]
    assert let_in == {word for words in own for word in words}
