"""What an Alertmanager's configuration does for us is read from it; what is wrong comes with what to do."""

from __future__ import annotations

from typing import Any

import pytest

from rules.findings import Finding, Level, Section, from_message
from rules.routing import routing_findings

URL = "http://rollback:8095/api/v1/alertmanager"


def config(*, routed: bool = True, **webhook: object) -> dict[str, Any]:
    """Return a configuration with one receiver of ours."""
    return {
        "route": {"receiver": "default", "routes": [{"routes": [{"receiver": "ours"}]}] if routed else []},
        "receivers": [{"name": "default"}, {"name": "ours", "webhook_configs": [{"url": URL, **webhook}]}],
    }


JUDGED: list[tuple[Any, str | None, list[tuple[Level, str]]]] = [
    (config(), "ours", [(Level.WELL, "has a route and a webhook.")]),
    (config(), None, [(Level.WELL, "The receiver ours has a route")]),
    (config(url="<secret>"), "ours", [(Level.WELL, "does not show to which address")]),
    (config(url="<secret>"), None, [(Level.WRONG, "No receiver of its configuration")]),
    (config(send_resolved=False), "ours", [(Level.WRONG, "`send_resolved: false`"), (Level.WELL, "has a route")]),
    (config(max_alerts=5), "ours", [(Level.WARNS, "after 5 alerts (`max_alerts`)"), (Level.WELL, "has a route")]),
    (config(routed=False), "ours", [(Level.WRONG, "No route leads to the receiver ours")]),
    (
        config(url="http://rollback:8095/"),
        "ours",
        [(Level.WRONG, "posts to http://rollback:8095"), (Level.WELL, "")],
    ),
    (config(), "default", [(Level.WRONG, "The receiver default has no webhook")]),
    (config(), "theirs", [(Level.WRONG, "is not in its configuration")]),
    (None, "ours", [(Level.WARNS, "cannot be read")]),
    ("text", None, [(Level.WARNS, "cannot be read")]),
    ({"receivers": "text"}, None, [(Level.WRONG, "No receiver")]),
    ({"receivers": [None, {"name": "ours", "webhook_configs": [None]}]}, "ours", [(Level.WRONG, "no webhook")]),
]


@pytest.mark.parametrize(("said", "receiver", "expected"), JUDGED)
def test_a_configuration_is_judged(said: Any, receiver: str | None, expected: list[tuple[Level, str]]) -> None:
    """For the receiver that the settings name, or for any that posts to us."""
    found = routing_findings(said, receiver, 300)
    assert [finding.level for finding in found] == [level for level, _ in expected]
    for finding, (_, words) in zip(found, expected, strict=True):
        assert words in finding.what
        assert finding.level is Level.WELL or finding.fix


@pytest.mark.parametrize("level", [Level.WARNS, Level.WRONG])
def test_nothing_is_wrong_without_a_fix(level: Level) -> None:
    """Not even by mistake."""
    with pytest.raises(ValueError, match="nobody knows what to do"):
        Finding(level, "It rains.")


MESSAGES = [
    ("Redis is away. Start it.", ("Redis is away.", "Start it.")),
    ("Redis is away", ("Redis is away.", "Look.")),
    ("It is away (refused). Does it run?", ("It is away (refused).", "Does it run? Look.")),
    ("Version 6.0 is too old: use 7.", ("Version 6.0 is too old: use 7.", "Look.")),
]


@pytest.mark.parametrize(("message", "expected"), MESSAGES)
def test_a_message_says_what_to_do_in_its_last_sentence(message: str, expected: tuple[str, str]) -> None:
    """Else its place does."""
    found = from_message(Level.WRONG, message, "Look.")
    assert (found.what, found.fix) == expected


def test_sections_come_back_as_they_were_written() -> None:
    """A worker writes them, and the command line reads them."""
    section = Section("Hosts", (Finding(Level.WRONG, "No.", "Do."), Finding(Level.WELL, "Yes.")))
    assert Section.read(section.written()) == section


INTERVALS: list[tuple[str | None, float, str]] = [
    (None, 300, ""),
    ("5m", 300, ""),
    ("300s", 300, ""),
    ("1m", 300, "judged later than it could be"),
    (None, 60, "judged too soon"),
    ("soon", 60, ""),
]


@pytest.mark.parametrize(("interval", "ours_s", "said"), INTERVALS)
def test_intervals_are_compared_with_ours(interval: str | None, ours_s: float, said: str) -> None:
    """Of the routes that lead to us, which inherit it; Alertmanager's default is five minutes."""
    told = config()
    told["route"]["routes"][0] |= {"group_interval": interval} if interval else {}
    told["route"]["routes"].append({"receiver": "default", "group_interval": "3h"})
    _, *found = routing_findings(told, "ours", ours_s)
    assert [finding.level for finding in found] == [Level.WARNS] * bool(said)
    assert all(said in finding.what for finding in found)
