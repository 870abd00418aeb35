"""`rollbackctl init` writes files that pass the checks as they are, with secrets only their owner can read."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from controller.cli.main import cli
from controller.settings import load_settings
from controller.settings.house import House
from rules.rule import Mode
from rules.to import LastKnownGood


def _run(*words: str, answers: str | None = None) -> tuple[int, str]:
    done = CliRunner().invoke(cli, list(words), input=answers)
    return done.exit_code, done.output


@pytest.mark.parametrize("hosts", ["local", "web1, web2.example.org,10.0.0.3", "2001:db8::1"])
@pytest.mark.parametrize("service", ["shop", "on", "1.10", "shop-v2.eu"])
def test_what_is_written_passes_the_checks(tmp_path: Path, hosts: str, service: str) -> None:
    """Whatever the service and its hosts are called; the one rule observes, and goes back to known-good ones."""
    folder = tmp_path / "new"
    code, output = _run("init", str(folder), "--yes", "--service", service, "--hosts", hosts)
    assert code == 0, output
    code, output = _run("rules", "check", "--config", str(folder / "rollback.yaml"))
    assert code == 0, output
    assert "no errors" in output
    assert "warning" not in output
    house = House.load(load_settings(folder / "rollback.yaml"))
    (rule,) = house.rules.rules
    assert (rule.mode, rule.to) == (Mode.OBSERVE, (LastKnownGood(),))
    assert list(house.inventory.services) == [service]


def test_four_questions_are_asked(tmp_path: Path) -> None:
    """What is not answered gets its default, which follows from the first answer."""
    code, output = _run("init", str(tmp_path / "new"), answers="cart\n\n\n\n")
    assert code == 0, output
    assert output.count("?") == 4
    inventory = House.load(load_settings(tmp_path / "new" / "rollback.yaml")).inventory
    cart = inventory.services["cart"]
    assert (cart.releases, cart.current, cart.restart.unit) == (
        "/opt/cart/releases",
        "/opt/cart/current",
        "cart.service",
    )
    assert inventory.local


def test_tokens_are_random_and_for_their_owner_only(tmp_path: Path) -> None:
    """Also while somebody's umask lets others read."""
    texts = set()
    for name in ("one", "two"):
        _run("init", str(tmp_path / name), "--yes")
        for token in ("alertmanager", "operator"):
            path = tmp_path / name / "tokens" / token
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            texts.add(path.read_text())
    assert len(texts) == 4
    assert all(len(text.strip()) >= 32 for text in texts)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """One file that is there stops all of it."""
    (tmp_path / "rules.yaml").write_text("mine")
    code, output = _run("init", str(tmp_path), "--yes")
    assert code == 1
    assert "already has rules.yaml; nothing was written" in output
    assert [path.name for path in tmp_path.iterdir()] == ["rules.yaml"]
    assert (tmp_path / "rules.yaml").read_text() == "mine"


def test_three_commands_come_next(tmp_path: Path) -> None:
    """Each with the settings just written."""
    _, output = _run("init", str(tmp_path / "new"), "--yes")
    for command in ("rules check", "alertmanager-config", "up"):
        assert f"rollbackctl {command} --config {tmp_path / 'new' / 'rollback.yaml'}" in output


@pytest.mark.parametrize("service", ['a"b', "a\nb", "a{b}", "a/b", " "])
def test_a_name_that_would_break_the_files_is_refused(tmp_path: Path, service: str) -> None:
    """And nothing is written."""
    code, _ = _run("init", str(tmp_path / "new"), "--yes", "--service", service)
    assert code == 2
    assert not (tmp_path / "new").exists()
