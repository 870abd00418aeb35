"""Runs one target over many cases; the first that breaks something is shrunk, and can be replayed.

Work is bounded, not time: a case may take so many seconds of this process's own processor, however busy the
machine is.
"""

from __future__ import annotations

import re
import signal
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, given
from hypothesis.errors import DidNotReproduce, HypothesisWarning

from fuzz.target import Check, Target

MOST_WORK_S = 10.0
_IN_ONE_GO = 2_000
"""Cases of one run of hypothesis: it remembers all of them."""
_MOST_CRASHES = 5
_BLOB = re.compile(r"@reproduce_failure\('[^']*', b'([^']*)'\)")
_SHOWN = 4_000


class TooMuchWorkError(Exception):
    """One case kept the processor for longer than any input is worth."""


class DeepCrashError(Exception):
    """What is no `Exception` was raised, as a panic of Rust's is."""


@dataclass(frozen=True, slots=True)
class Crash:
    """One way to break something: the smallest input that does it, and how to see it again."""

    target: str
    what: str
    case: str
    trace: str
    replay: str

    @property
    def kind(self) -> str:
        """What two crashes share that are one: the error, and where it was raised."""
        places = re.findall(r'File "[^"]*", line \d+, in \w+', self.trace)
        return f"{self.what.split(':')[0]} {places[-1] if places else ''}"


@dataclass(slots=True)
class Result:
    """What came of a target."""

    target: str
    cases: int = 0
    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0
    crashes: list[Crash] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """Return it as data."""
        return asdict(self)


class Run:
    """Cases of one target. `last` is a file that holds the case that is under way: a process may die of it."""

    def __init__(self, target: Target, check: Check, last: Path | None = None) -> None:
        self._target, self._check, self._last = target, check, last
        self._case: object = None
        self.result = Result(target.name)

    def go(self, cases: int, seed: int) -> Result:
        """Run so many cases; one seed is always the same ones."""
        begun = time.monotonic()
        for number, first in enumerate(range(0, cases, _IN_ONE_GO)):
            many = min(_IN_ONE_GO, cases - first)
            self._keep(self._broken_by(hypothesis.seed(f"{seed} {number}")(self._test(many))))
            if len(self.result.crashes) >= _MOST_CRASHES:
                break
        self.result.seconds = time.monotonic() - begun
        return self.result

    def replay(self, blob: str) -> Result:
        """Run the one case that a crash was told with."""
        again = hypothesis.reproduce_failure(hypothesis.__version__, blob.encode())
        self._keep(self._broken_by(again(self._test(1))))
        return self.result

    def _test(self, cases: int) -> Any:
        def one(case: object) -> None:
            self._one(case)

        return hypothesis.settings(
            max_examples=cases,
            database=None,
            deadline=None,
            print_blob=True,
            report_multiple_bugs=False,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )(given(self._target.cases)(one))

    def _one(self, case: object) -> None:
        self._case = case
        if self._last is not None:
            self._last.write_text(shown(case))
        self.result.cases += 1
        try:
            with _bounded():
                accepted = self._check(case)
        except (Exception, KeyboardInterrupt):
            raise
        except BaseException as died:
            raise DeepCrashError(f"{type(died).__name__}: {died}") from died
        self.result.accepted += accepted
        self.result.refused += not accepted

    def _broken_by(self, test: Any) -> Crash | None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", HypothesisWarning)  # of inputs that are long to show
                test()
        except DidNotReproduce:
            return None  # what was told of is mended
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            blob = _BLOB.search("\n".join(getattr(error, "__notes__", ())))
            return Crash(
                self._target.name,
                f"{type(error).__name__}: {error}"[:_SHOWN],
                shown(self._case),
                "".join(traceback.format_exception(error))[-3 * _SHOWN :],
                blob[1] if blob else "",
            )
        return None

    def _keep(self, crash: Crash | None) -> None:
        if crash is not None and crash.kind not in {known.kind for known in self.result.crashes}:
            self.result.crashes.append(crash)


def shown(case: object) -> str:
    """Return a case as Python writes it, cut where it is long."""
    text = repr(case).encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"


@contextmanager
def _bounded() -> Iterator[None]:
    def too_much(*_: object) -> None:
        raise TooMuchWorkError(f"more than {MOST_WORK_S:g} s of the processor for one case")

    before = signal.signal(signal.SIGPROF, too_much)
    signal.setitimer(signal.ITIMER_PROF, MOST_WORK_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
