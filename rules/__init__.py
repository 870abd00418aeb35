"""Knows: alerts, matchers, rules, releases, plans, decisions. Pure: no clock, no Redis, no network."""
