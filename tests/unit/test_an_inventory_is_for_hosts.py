"""Who looks after workloads alone needs no inventory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from testbed.kube_shop import kube_rules
from testbed.local_shops import rules

from controller.settings.house import House
from rules.reading.fileerrors import RuleFileErrors


def test_without_a_rule_about_hosts_there_need_be_no_inventory(tmp_path: Path) -> None:
    """The services on hosts are none."""
    file = tmp_path / "rules.yaml"
    file.write_text(kube_rules())
    assert House([file], tmp_path / "inventory.yaml").inventory.services == {}


def test_a_rule_about_hosts_asks_for_one(tmp_path: Path) -> None:
    """Its absence is said at its place."""
    file = tmp_path / "rules.yaml"
    file.write_text(rules())
    with pytest.raises(RuleFileErrors, match=r"inventory\.yaml:1:1: the file cannot be read"):
        House([file], tmp_path / "inventory.yaml")


def test_an_inventory_that_is_there_is_read(tmp_path: Path) -> None:
    """And its mistakes count, whatever the rules are about."""
    file, inventory = tmp_path / "rules.yaml", tmp_path / "inventory.yaml"
    file.write_text(kube_rules())
    inventory.write_text(json.dumps({"version": "inventory/v2"}))
    with pytest.raises(RuleFileErrors, match="inventory/v"):
        House([file], inventory)
