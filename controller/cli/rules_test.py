"""Runs the tests that stand beside rules, and says what came out otherwise than expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import click

from controller.cli.failures import Failed
from controller.cli.terminal import clean, print_json, say
from rules.reading.fileerrors import FileError, RuleFileErrors
from rules.testfile import parse_tests
from rules.testrun import Result, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


_ENDING = ".test.yaml"


@dataclass(frozen=True, slots=True)
class Ran:
    """One file: the results of its tests, and what kept it, or some of them, from being run."""

    file: Path
    results: tuple[Result, ...]
    errors: tuple[FileError, ...] = ()


def test(sources: Sequence[Path], words: str | None, junit: Path | None, *, as_json: bool) -> None:
    """Run the tests of all files; ends with exit code 1 unless all of them passed."""
    files = list(_files(sources))
    if not files:
        where = ", ".join(map(str, sources))
        raise Failed(
            f"Nothing was tested: there is no test file in {where}. Of a folder, its *{_ENDING} are read."
        )
    ran = [_run(file, words) for file in files]
    if junit is not None:
        _write_junit(junit, ran)
    if as_json:
        print_json([_plain(result) for one in ran for result in one.results])
    else:
        _print(ran)
    count = sum(len(one.results) for one in ran)
    if not count and not any(one.errors for one in ran):
        raise Failed(f"Nothing was tested: no test has {words!r} in its name.")
    if any(one.errors or not all(result.passed for result in one.results) for one in ran):
        raise click.exceptions.Exit(Failed.exit_code)


def _files(sources: Sequence[Path]) -> Iterator[Path]:
    for source in sources:
        if source.is_dir():
            yield from sorted(source.glob(f"*{_ENDING}"))
        else:
            yield source


def _run(file: Path, words: str | None) -> Ran:
    try:
        tests = parse_tests(_data(file), str(file), lambda name: (file.parent / name).read_bytes())
    except RuleFileErrors as error:
        return Ran(file, (), error.errors)
    results: list[Result] = []
    errors: list[FileError] = []
    for case in tests.cases:
        if words is not None and words.lower() not in case.name.lower():
            continue
        try:
            results.append(run(tests, case))
        except RuleFileErrors as error:
            errors += error.errors
    return Ran(file, tuple(results), tuple(dict.fromkeys(errors)))


def _data(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        message = f"the file cannot be read: {error.strerror}"
        raise RuleFileErrors((FileError(str(file), 1, 1, message),)) from error


def _print(ran: Sequence[Ran]) -> None:
    for one in ran:
        for error in one.errors:
            place = click.style(clean(f"{error.file}:{error.line}:{error.column}"), bold=True)
            click.echo(f"{place}: {click.style('error:', fg='red')} {clean(error.message)}")
        for result in one.results:
            if not result.passed:
                _print_failed(result)
    results = [result for one in ran for result in one.results]
    failed, broken = sum(not result.passed for result in results), sum(len(one.errors) for one in ran)
    if not failed and not broken:
        say(f"{_count(len(results), 'test')}: all passed.", style="green")
        return
    said = [f"{failed} failed" if failed else "", _count(broken, "error") if broken else ""]
    say(f"{', '.join([_count(len(results), 'test'), *filter(None, said)])}.", style="red")


def _count(number: int, name: str) -> str:
    return f"{number} {name}" + ("" if number == 1 else "s")


def _print_failed(result: Result) -> None:
    name = click.style(clean(result.name), bold=True)
    click.echo(f"{click.style('FAILED', fg='red')} {name}  ({clean(result.place)})")
    for line in result.differences:
        say(f"  {line}")


def _plain(result: Result) -> dict[str, object]:
    place = result.place
    return {
        "name": result.name,
        "file": place.file,
        "line": place.line,
        "passed": result.passed,
        "differences": list(result.differences),
    }


def _write_junit(path: Path, ran: Sequence[Ran]) -> None:
    """Write what CI systems show: one suite for each file."""
    root = ET.Element("testsuites")
    for one in ran:
        failed = sum(not result.passed for result in one.results)
        counts = {"tests": len(one.results) + len(one.errors), "failures": failed, "errors": len(one.errors)}
        said = {name: str(count) for name, count in counts.items()}
        suite = ET.SubElement(root, "testsuite", {"name": clean(one.file), **said})
        for result in one.results:
            case = _junit_case(suite, one.file, result.name, result.place.line)
            if not result.passed:
                failure = ET.SubElement(case, "failure", message=clean(result.differences[0]))
                failure.text = "\n".join(map(clean, result.differences))
        for error in one.errors:
            case = _junit_case(suite, one.file, f"line {error.line}", error.line)
            ET.SubElement(case, "error", message=clean(error))
    ET.indent(root)
    try:
        ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise Failed(f"{path} cannot be written: {error.strerror}.") from error


def _junit_case(suite: ET.Element, file: Path, name: str, line: int) -> ET.Element:
    named = {"classname": clean(file.stem), "name": clean(name), "file": clean(file), "line": str(line)}
    return ET.SubElement(suite, "testcase", named)
