"""Rule files: text in, rules out, and every mistake at its place."""

from __future__ import annotations

from rules.rule import HostsTarget, Mode, Previous, Retry, Rule, Target, Verify, Version, When

__all__ = ["HostsTarget", "Mode", "Previous", "Retry", "Rule", "Target", "Verify", "Version", "When"]
