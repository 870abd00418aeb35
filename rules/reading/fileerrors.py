"""What is wrong with a file that a person wrote, each mistake at its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True, order=True)
class FileError:
    """One mistake, or one warning. Lines and columns count from 1, as editors do.

    Its message is one line, also where it tells a text that has several.
    """

    file: str
    line: int
    column: int
    message: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", " ".join(self.message.splitlines()))

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class Place(NamedTuple):
    """Where something is written."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    def says(self, message: str) -> FileError:
        """Make an error, or a warning, at this place."""
        return FileError(*self, message)


class RuleFileErrors(ValueError):
    """A rule file, an inventory or a settings file cannot be used. `errors` has every mistake, in order."""

    def __init__(self, errors: tuple[FileError, ...]) -> None:
        self.errors = tuple(sorted(set(errors)))
        super().__init__("\n".join(map(str, self.errors)))
