"""Whatever bytes come in, the loader gives rules or `RuleFileErrors`: it does not crash, hang or grow."""

from __future__ import annotations

import contextlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.inventory import parse_inventory
from rules.rulefile import RuleFileErrors, parse_rules

VALID = b"""\
version: rules/v1
defaults: &all {to: [previous], verify: {steady: 5s}}
rules:
  - name: canary-errors
    description: >
      Folded text, with "quotes".
    when: {matchers: ['alertname=~"A|B"', "severity=\\"critical\\""]}
    target: {hosts: {instance: "{{ $labels.instance }}"}, only: {track: canary}}
    to: [previous, {version: "1.10"}]
    retry: {attempts: 5, initial: 2s, factor: 2, max: 2m}
"""

INVENTORY = b"""\
version: inventory/v1
connection: local
services:
  shop:
    releases: /opt/shop/releases
    current: /opt/shop/current
    restart: {command: [shopctl, restart]}
    health: {url: "http://{address}:8080/healthz", within: 30s}
    hosts: [{name: web1, address: 10.90.0.2, labels: {track: stable}}]
"""

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n"
    for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)  # fmt: skip


def read(data: str | bytes) -> RuleFileErrors | None:
    try:
        parse_rules(data, "r.yaml")
    except RuleFileErrors as raised:
        error = raised
    else:
        return None
    assert error.errors
    assert all(found.file == "r.yaml" and found.line >= 1 and found.column >= 1 for found in error.errors)
    return error


def test_the_valid_files_are_valid():
    """What the tests below break was whole."""
    assert read(VALID) is None
    assert parse_inventory(INVENTORY, "i.yaml").services


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (LAUGHS, "aliases make this file too large"),
        ("[" * 100_000, "nested too deeply"),
        ("- " * 100_000, "nested too deeply"),
        ("{a: " * 100_000, "nested too deeply"),
        ("? " * 100_000, "nested too deeply"),
        ("x" * (10 << 20) + "x", "larger than 10 MiB"),
        ("a: &a [*a]", "stands inside what it refers to"),
        ("a: &a {b: *a}", "stands inside what it refers to"),
    ],
)
def test_a_hostile_file_is_refused_early(text, wanted):
    """Depth, aliases and size are bounded."""
    error = read(text)
    assert error is not None
    assert any(wanted in found.message for found in error.errors)


@given(st.binary(max_size=200))
def test_any_bytes(data):
    """Bytes are read, or refused at a place."""
    read(data)


@given(st.text(max_size=200))
def test_any_text(text):
    """So is text, half surrogate pairs included."""
    read(text)


YAMLISH = st.lists(
    st.sampled_from(
        [*"abc019 \t\n\n  -:?,[]{}#&*!|>'\"%@`\\~=<.",
         "- ", ": ", "rules:\n", "  - name: ", "{{ ", " }}", "&a", "*a",
         "\\x", "\\u", "\\U0011", "!!str ", "--- ", "...\n", "<<: ", "version: rules/v1\n",
         "\u2028", "\x85", "\ufeff"]
    ),
    max_size=60,
).map("".join)  # fmt: skip


@given(YAMLISH)
def test_anything_that_looks_like_yaml(text):
    """Pieces of YAML in any order, which reach deeper than noise."""
    read(text)
    read(f"version: rules/v1\nrules:\n  - name: a\n    when: {text}\n")


@given(st.integers(min_value=0), st.sampled_from([VALID, INVENTORY]))
def test_a_valid_file_with_a_few_bytes_changed(seed, valid):
    """Files as people break them: bytes lost, doubled, moved or replaced."""
    pick = random.Random(seed)
    data = bytearray(valid)
    for _ in range(pick.randint(1, 4)):
        at = pick.randrange(len(data))
        piece = bytes(data[at : at + pick.randint(0, 8)])
        data[at : at + pick.randint(0, 5)] = pick.choice(
            [b"", piece * 2, bytes([pick.randrange(256)]), b"\n", b": "]
        )
    read(bytes(data))
    with contextlib.suppress(RuleFileErrors):
        parse_inventory(bytes(data), "i.yaml")
