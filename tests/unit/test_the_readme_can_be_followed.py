"""The files of the README's five minutes with Kubernetes load, and do together what it says they do."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from controller.settings.loading import load_settings
from rules.explain import explain
from rules.inventory import Inventory
from rules.notifications import parse_notification
from rules.rulefile import parse_rules

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
PART = README[README.index("## Five minutes to your own: Kubernetes") : README.index("## What you can rely on")]
FILES = {
    name: textwrap.dedent(text)
    for name, text in re.findall(r"   ```yaml\n   # (\S+)\n(.*?)   ```", PART, re.DOTALL)
}
NOTIFICATION = PART[PART.index('{"version": "4"') : PART.index("   END")].replace(
    "$(date -u +%FT%TZ)", "2026-01-22T03:47:05Z"
)


def test_its_settings_load_and_name_what_the_steps_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No inventory is needed."""
    monkeypatch.delenv("ROLLBACK_CONFIG", raising=False)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    settings = load_settings(tmp_path / "rollback.yaml")
    assert [path.name for path in settings.rules] == ["rules.yaml"]
    assert settings.clusters["eu"].kubeconfig == tmp_path / "eu.kubeconfig"
    assert {token.file.name for token in settings.auth.tokens} == {"alertmanager.token", "operator.token"}


def test_its_notification_meets_its_rule() -> None:
    """Before any cluster is asked."""
    rules, notification = parse_rules(FILES["rules.yaml"], "rules.yaml"), parse_notification(NOTIFICATION.encode())
    assert not notification.bad
    (alert,) = explain(rules, Inventory({}), notification.alerts, None)
    (decision,) = alert["decisions"]
    assert (decision["outcome"], decision["reason"]) == ("observe", "observe-mode")
    assert "deployment web-canary in shop" in decision["detail"]


@pytest.mark.parametrize(
    ("page", "place"),
    [(page, place) for page, place in re.findall(r"\]\(([^)#:]+\.md)(?:#([^)]+))?\)", README)],
)
def test_its_links_lead_somewhere(page: str, place: str) -> None:
    """To a page that is there, and to a heading of it."""
    text = (ROOT / page).read_text()
    titles = re.findall("^#+ (.*)", text, re.MULTILINE)
    headings = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}
    assert not place or place in headings
