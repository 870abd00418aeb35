"""The settings' policy: what binds every rule is read whole, and each mistake is told at its place."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.settings import Settings, SettingsError, load_settings
from rules.limits import NO_POLICY, Limits, StormBrake
from rules.reading.surroundings import Surroundings

FULL = """
policy:
  mode: ask
  freeze:
    week-end: {rrule: "FREQ=WEEKLY;BYDAY=FR;BYHOUR=18;BYMINUTE=0", duration: 62h, timezone: Europe/Berlin}
    file: {days: [mon, tue], from: "22:00", to: "06:00", timezone: UTC, then: hold}
  freeze-always: [week-end]
  limits: {per-hour: 5, per-day: 20}
  storm: {services: 4, within: 2m}
  opt-in: {rollback: automatic, file: [a, b]}
  asks-for: 30m
  good-after: 12h
"""


def loaded(folder: Path, text: str) -> Settings:
    file = folder / "rollback.yaml"
    file.write_text(text)
    return load_settings(file)


def ms(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc,arg-type]


def test_every_key_is_read(tmp_path: Path) -> None:
    """Names that people gave keep their hyphens, and are no paths whatever they are called."""
    policy = loaded(tmp_path, FULL).policy
    assert policy.ceiling == "ask"
    assert list(policy.windows) == ["week-end", "file"]
    assert policy.freeze == ("week-end",)
    assert (policy.limits, policy.storm) == (Limits(5, 20), StormBrake(4, 120))
    assert policy.opt_in == {"rollback": ("automatic",), "file": ("a", "b")}
    assert (policy.asks_for_s, policy.good_after_s) == (1800, 43_200)


def test_windows_open_by_the_clocks_of_their_zone(tmp_path: Path) -> None:
    """Friday 18:00 in Berlin is 17:00 UTC in winter and 16:00 UTC in summer."""
    window = loaded(tmp_path, FULL).policy.windows["week-end"]
    assert window.then == "ask"  # type: ignore[attr-defined]
    for at, is_open in (
        (ms(2026, 1, 16, 16, 59), False),
        (ms(2026, 1, 16, 17, 1), True),
        (ms(2026, 7, 17, 15, 59), False),
        (ms(2026, 7, 17, 16, 1), True),
    ):
        assert (window.open_until(at) is not None) == is_open  # type: ignore[attr-defined]


def test_what_is_left_out_binds_nothing(tmp_path: Path) -> None:
    """No policy, or an empty one."""
    assert loaded(tmp_path, "workers: 1\n").policy == NO_POLICY
    assert loaded(tmp_path, "policy: {}\n").policy == NO_POLICY


@pytest.mark.parametrize(
    ("limits", "wanted"),
    [
        ("{per-hour: 2}", Limits(2, 48)),
        ("{per-day: 2}", Limits(2, 2)),
        ("{per_hour: 2, per_day: 3}", Limits(2, 3)),
    ],
)
def test_a_limit_may_stand_alone(tmp_path: Path, limits: str, wanted: Limits) -> None:
    """One for the hour does not bind the day; one for the day binds each of its hours."""
    assert loaded(tmp_path, f"policy: {{limits: {limits}}}\n").policy.limits == wanted


WINDOW = "policy:\n  freeze:\n    w: {{{}}}\n"
MISTAKES = {
    "a slip in a key": ("policy: {storms: {}}", "1:10: `policy.storms` is not a setting; did you mean storm?"),
    "a slip in the mode": ("policy: {mode: aks}", "1:10: `policy.mode`: `aks` is not known here; did you"),
    "a limit of zero": ("policy: {limits: {per-hour: 0}}", "1:19: `policy.limits.per-hour`: a limit of 0 would"),
    "no limit": ("policy: {limits: {}}", "1:10: `policy.limits`: `per-hour` or `per-day` is missing; write one"),
    "less a day": (
        "policy: {limits: {per-hour: 3, per-day: 2}}",
        "1:10: `policy.limits`: `per-day` is 2, less than `per-hour`, 3; make it at least as much",
    ),
    "a storm of none": ("policy: {storm: {services: 0}}", "1:18: `policy.storm.services`: a limit of 0 would"),
    "no unit": ("policy: {asks-for: 30}", "1:10: `policy.asks-for`: a duration needs a unit; write 30s"),
    "an unknown window": (
        WINDOW.format('from: "1:00", to: "2:00", timezone: UTC') + "  freeze-always: [v]\n",
        "4:3: `policy.freeze-always`: there is no window `v` under `freeze`; define it there",
    ),
    "a text for a label": ("policy: {opt-in: {a: 3}}", "1:19: `policy.opt-in.a.0`: write a text here"),
    "no time zone": (WINDOW.format('from: "1:00", to: "2:00"'), "3:5: `policy.freeze.w.timezone` is needed"),
    "no such time zone": (
        WINDOW.format('from: "1:00", to: "2:00", timezone: Mars'), "3:5: `policy.freeze.w`: 'Mars' is no time zone"
    ),
    "a clock without quotes": (WINDOW.format("from: 10:00, to: 11:00, timezone: UTC"), "3:15: 10:00 is a number"),
    "no end": (WINDOW.format('from: "1:00", timezone: UTC'), "3:5: `policy.freeze.w`: `to` is ''"),
    "no duration": (
        WINDOW.format('rrule: "FREQ=DAILY;BYHOUR=1;BYMINUTE=0", timezone: UTC'),
        "3:5: `policy.freeze.w`: a window with an `rrule` needs a `duration` like 8h",
    ),
    "both ways": (
        WINDOW.format('rrule: "FREQ=DAILY", duration: 1h, from: "1:00", timezone: UTC'),
        "3:5: `policy.freeze.w`: `rrule` and `from`, `to`, `days` exclude each other",
    ),
    "no recurrence": (WINDOW.format("rrule: sometimes, duration: 1h, timezone: UTC"), "3:5: `policy.freeze.w`: "),
    "never": (
        WINDOW.format('rrule: "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;BYHOUR=1", duration: 1h, timezone: UTC'),
        "3:5: `policy.freeze.w`: ",
    ),
    "a slip in then": (
        WINDOW.format('from: "1:00", to: "2:00", timezone: UTC, then: holds'),
        "3:50: `policy.freeze.w.then`: `holds` is not known here; did you mean `hold`?",
    ),
    "a slip in a window": (
        WINDOW.format('form: "1:00", to: "2:00", timezone: UTC'),
        "3:9: `policy.freeze.w.form` is not a setting; did you mean from?",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_at_its_place(tmp_path: Path, text: str, wanted: str) -> None:
    """As everywhere in the settings: file:line:column, the key, and what to write."""
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, text)
    file = tmp_path / "rollback.yaml"
    assert any(problem.startswith(f"{file}:{wanted}") for problem in caught.value.problems), caught.value.problems


def test_a_variable_says_a_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers are text there; what it does not say, the file still does."""
    monkeypatch.setenv("ROLLBACK_POLICY__LIMITS__PER_DAY", "9")
    monkeypatch.setenv("ROLLBACK_POLICY__MODE", "observe")
    policy = loaded(tmp_path, FULL).policy
    assert (policy.ceiling, policy.limits) == ("observe", Limits(5, 9))
    monkeypatch.setenv("ROLLBACK_POLICY__LIMITS__PER_DAY", "many")
    with pytest.raises(SettingsError, match=r"ROLLBACK_POLICY__LIMITS__PER_DAY: .*must be a whole number"):
        loaded(tmp_path, FULL)


def test_rules_may_name_what_the_settings_define(tmp_path: Path) -> None:
    """Windows and channels; everything else they name is a mistake."""
    text = FULL + "notify: {oncall: {urls-file: oncall.urls}}\nnumbers: {group-interval-s: 60}\n"
    wanted = Surroundings(
        frozenset({"week-end", "file"}), frozenset({"oncall"}), 60, prometheus=False, alertmanager=False
    )
    assert loaded(tmp_path, text).surroundings == wanted
