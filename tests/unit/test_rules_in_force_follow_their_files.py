"""A process goes by the rules and hosts in its files as they are, and keeps what it had while they have errors."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from controller.settings.house import House
from rules.reading.surroundings import Surroundings
from rules.rulefile import RuleFileErrors

RULE = """
version: rules/v1
rules:
  - name: {name}
    when: {{matchers: ['alertname="X"']}}
    target: {{hosts: {{instance: "{{{{ $labels.instance }}}}"}}}}
    to: [previous]
"""
INVENTORY = """
version: inventory/v1
connection: local
services:
  shop:
    releases: /opt/shop/releases
    current: /opt/shop/current
    restart: {systemd: shop.service}
    hosts: [{name: web1, address: 10.0.0.1}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Rules in a folder of their own, and an inventory beside it."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "b.yaml").write_text(RULE.format(name="second"))
    (tmp_path / "rules" / "a.yaml").write_text(RULE.format(name="first"))
    (tmp_path / "rules" / "readme.txt").write_text("not a rule file")
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    return tmp_path


def _house(folder: Path) -> House:
    return House([folder / "rules"], folder / "inventory.yaml")


def _names(house: House) -> list[str]:
    return [rule.name for rule in house.rules.rules]


def test_a_folder_is_read_in_order_of_the_names(folder: Path) -> None:
    """Order decides between rules, so it must be told from outside."""
    house = _house(folder)
    assert _names(house) == ["first", "second"]
    assert house.digests == {rule.digest for rule in house.rules.rules}


def test_nothing_changed_is_no_refresh(folder: Path) -> None:
    """The reading stays the very same."""
    house = _house(folder)
    reading = house.reading
    assert not house.refresh()
    assert house.reading is reading


def test_a_changed_a_new_and_a_removed_file_are_noticed(folder: Path) -> None:
    """As is an inventory that changed."""
    house = _house(folder)
    (folder / "rules" / "c.yaml").write_text(RULE.format(name="third"))
    assert house.refresh()
    (folder / "rules" / "a.yaml").unlink()
    assert house.refresh()
    (folder / "rules" / "b.yaml").write_text(RULE.format(name="changed"))
    assert house.refresh()
    assert _names(house) == ["changed", "third"]
    (folder / "inventory.yaml").write_text(INVENTORY.replace("web1", "web2"))
    assert house.refresh()
    assert [host.name for host in house.inventory.services["shop"].hosts] == ["web2"]


def test_errors_keep_the_rules_that_were_in_force(folder: Path) -> None:
    """Every error is told; once the files are good again, they count."""
    house = _house(folder)
    (folder / "rules" / "a.yaml").write_text(RULE.format(name="first").replace("when:", "wen:"))
    (folder / "inventory.yaml").write_text("version: inventory/v9")
    assert not house.refresh()
    assert _names(house) == ["first", "second"]
    assert {Path(error.file).name for error in house.errors} == {"a.yaml", "inventory.yaml"}
    (folder / "rules" / "a.yaml").write_text(RULE.format(name="mended"))
    (folder / "inventory.yaml").write_text(INVENTORY)
    assert house.refresh()
    assert (_names(house), house.errors) == (["mended", "second"], ())


def test_a_file_that_is_gone_takes_no_rule_away(folder: Path) -> None:
    """It is an error like any other."""
    house = House([folder / "rules" / "a.yaml"], folder / "inventory.yaml")
    (folder / "rules" / "a.yaml").unlink()
    assert not house.refresh()
    assert _names(house) == ["first"]
    assert "cannot be read: No such file or directory" in house.errors[0].message


def test_a_swapped_link_is_noticed(folder: Path) -> None:
    """A ConfigMap changes by a link to another folder; size and time of the files may be the same."""
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / name / "rules.yaml").write_text(RULE.format(name=f"rule-{name}"))
    (folder / "now").symlink_to("one")
    house = House([folder / "now" / "rules.yaml"], folder / "inventory.yaml")
    (folder / "new").symlink_to("two")
    (folder / "new").replace(folder / "now")
    assert house.refresh()
    assert _names(house) == ["rule-two"]


def test_a_process_does_not_start_with_errors(folder: Path) -> None:
    """It has nothing to keep; all errors of all files are told."""
    (folder / "rules" / "a.yaml").write_text("version: rules/v1\nrules: [{name: x}]")
    (folder / "rules" / "b.yaml").write_text("no mapping")
    with pytest.raises(RuleFileErrors) as caught:
        _house(folder)
    assert {Path(error.file).name for error in caught.value.errors} == {"a.yaml", "b.yaml"}


def test_one_name_in_two_files_is_an_error(folder: Path) -> None:
    """The later one is told, and where the first one is."""
    (folder / "rules" / "b.yaml").write_text(RULE.format(name="first"))
    with pytest.raises(RuleFileErrors, match=r"b\.yaml:4:11: `first` is the name of another rule"):
        _house(folder)


def _change_unseen(file: Path, text: str) -> None:
    before = file.stat()
    assert len(text.encode()) == before.st_size
    with file.open("r+") as opened:
        opened.write(text)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_reloading_reads_what_no_time_or_size_tells(folder: Path) -> None:
    """Whoever asks for it wants it read, changed or not; doubt does the same at the next look."""
    file = folder / "rules" / "a.yaml"
    house = _house(folder)
    _change_unseen(file, RULE.format(name="third"))
    assert not house.refresh()
    assert house.reload() == ()
    assert _names(house) == ["third", "second"]
    _change_unseen(file, RULE.format(name="forth"))
    house.doubt()
    assert house.refresh()
    assert _names(house) == ["forth", "second"]
    assert not house.refresh()


def test_reloading_is_all_or_nothing(folder: Path) -> None:
    """One broken file of two, and the good change of the other does not count either."""
    house = _house(folder)
    (folder / "rules" / "a.yaml").write_text(RULE.format(name="third"))
    (folder / "rules" / "b.yaml").write_text("version: rules/v1\nrules:\n  - nam: typo\n")
    errors = house.reload()
    assert {Path(error.file).name for error in errors} == {"b.yaml"}
    assert _names(house) == ["first", "second"]
    assert house.errors == errors


def test_rules_that_name_what_the_settings_do_not_define_are_not_in_force(folder: Path) -> None:
    """At the start as later: a freeze window that does not exist would never hold anything back."""
    guarded = RULE.format(name="first") + "    guards: {freeze: [christmas]}\n    notify: [oncall]\n"
    (folder / "rules" / "a.yaml").write_text(guarded)
    sources = ([folder / "rules"], folder / "inventory.yaml")
    with pytest.raises(RuleFileErrors) as caught:
        House(*sources, Surroundings(channels=frozenset({"oncall"})))
    assert str(caught.value).endswith(
        "a.yaml:8:23: the settings know no freeze window `christmas`; define it under `policy.freeze` there, "
        "or remove it here"
    )
    known = Surroundings(windows=frozenset({"christmas"}), channels=frozenset({"oncall"}))
    house = House(*sources, known)
    (folder / "rules" / "a.yaml").write_text(guarded.replace("oncall", "oncal"))
    (error,) = house.reload()
    assert error.message == "the settings know no channel `oncal`; did you mean `oncall`?"
    assert house.rules.rules[0].notify == ("oncall",)
