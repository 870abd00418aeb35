"""What a host prints is data: names may hold anything but NUL, and half an answer is not taken for a whole."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from workers.hosts.reports import Entry, Link, Unit, parse

CURRENT = "/opt/shop/current"


def said(*records: str, whole: bool = True) -> bytes:
    return "".join(f"{record}\0" for record in (*records, *(["end"] if whole else []))).encode(
        "utf-8", "surrogateescape"
    )


def test_one_look() -> None:
    """Link, releases, fence, flags, disk and unit."""
    report = parse(
        said(
            "fence\t17\tr1",
            "stable\tv1.1.0",
            "fallback\t11:1700000000.123456789\tv1.4.0",
            f"entry\t11:1700000000.123456789\ta1ff\t{CURRENT} -> releases/v1.3.0",
            "entry\t12:1700000001.5\t41ed\t/opt/shop/releases/v1.3.0",
            "entry\t13:1700000002.000000001\t81ed\t/opt/shop/releases/tool",
            "entry\t14:1700000003.0\ta1ff\t/opt/shop/releases/latest -> v1.3.0",
            "incomplete\t/opt/shop/releases/v1.3.0",
            "disk\t10\t4096\t5\t6",
            "unit\tActiveState=active\nMainPID=7\nNRestarts=2\nExecStart={ path=/x ; argv[]=/x -a=b }",
            "exe\t/usr/bin/python3",
            "arguments\tpython3\x1f/opt/shop/current/app.py\x1f",
        ),
        CURRENT,
    )
    assert report.whole
    assert (report.fence, report.fence_owner, report.stable) == (17, "r1", "v1.1.0")
    assert report.fallback == ("11:1700000000.123456789", "v1.4.0")
    assert report.link == Link("releases/v1.3.0", "11:1700000000.123456789")
    assert report.entries == [
        Entry("v1.3.0", "directory", 1700000001_500000000),
        Entry("tool", "file", 1700000002_000000001),
    ]
    assert report.named("incomplete") == {"/opt/shop/releases/v1.3.0"}
    assert report.disk == (10, 4096, 5, 6)
    assert report.unit is not None
    assert (report.unit["ExecStart"], report.unit.main_pid, report.unit.restarts) == (
        "{ path=/x ; argv[]=/x -a=b }",
        7,
        2,
    )
    assert report.unit.arguments == ("python3", "/opt/shop/current/app.py")
    assert Unit.from_facts(json.loads(json.dumps(report.unit.facts()))) == report.unit


def test_half_an_answer_is_told() -> None:
    """Without its last record a report is not whole, and the record that was cut is left out."""
    report = parse(said("fence\t17\tr1", whole=False) + b"stable\tv1.")
    assert not report.whole
    assert (report.fence, report.stable) == (17, None)


def test_a_name_cannot_forge_a_record() -> None:
    """Line breaks and tabs in a name stay in the name; such names are skipped and counted."""
    evil = "v9\nfence\t99\tr9"
    odd = "\udcff\udcfe"
    names = [f"entry\t12:1.0\t41ed\t/opt/shop/releases/{name}" for name in (evil, odd, "v1\x1b[2J", "v1.2.0")]
    report = parse(said(*names), CURRENT)
    assert [entry.name for entry in report.entries] == ["v1.2.0"]
    assert report.odd_names == 3
    assert report.fence == 0


@given(st.binary(max_size=300))
def test_noise_is_no_error(noise: bytes) -> None:
    """Whatever a broken host says."""
    parse(noise + b"\0end\0", CURRENT)


@given(
    st.lists(
        st.sampled_from(
            ["entry", "unit", "disk", "code", "fence", "link", "exe", "\t", "a", "1", ":", ".", "\0", "=", "\n"]
        )
    )
)
def test_nonsense_in_our_own_words_is_no_error(words: list[str]) -> None:
    """Records that begin well and go on badly."""
    parse("".join(words).encode() + b"\0end\0", CURRENT)
