"""A rule that only observes records what it would have done, and later whether the trouble ended without it."""

from __future__ import annotations

from pathlib import Path

from testbed.guarded import guarded, rule_for
from testbed.local_shops import together
from testbed.wait import until


def test_why_tells_what_would_have_been_done_and_that_it_ended_without(tmp_path: Path) -> None:
    """One alert goes on, one ends by itself, one ends after a new release came; `why` tells them apart."""
    rule_file = together(rule_for("Watches", mode="observe"))
    with guarded(tmp_path, ("goes-on", "ended", "deployed"), rule_file) as site:
        entries = {name: site.fires(name, "Watches") for name in site.shops}
        for entry in entries.values():
            until(
                lambda one=entry: site.installed.decisions(one["fingerprint"]),
                within_s=60,
                what="the alert is decided",
            )
        site.resolves(entries["ended"])
        site.shops["deployed"].deploy("v1.2.0")
        site.resolves(entries["deployed"])

        until(
            lambda: "by then v1.2.0 had come" in site.why(entries["deployed"]["fingerprint"]),
            within_s=60,
            what="it is told that another release had come",
        )
        why = {name: site.why(entry["fingerprint"]) for name, entry in entries.items()}
        assert all("v1.3.0" in told and "v1.2.0" in told for told in why.values())
        assert all("would roll back" in told for told in why.values()), why["ended"]
        assert "without it: no other release had come" in why["ended"], why["ended"]
        assert "without it" not in why["deployed"], why["deployed"]
        assert "The trouble ended" not in why["goes-on"], why["goes-on"]
        assert not site.installed.rollbacks()
        assert all(made.restarts() == 0 for made in site.shops.values())
