r"""Go's regular expressions, as Alertmanager uses them, carried out by RE2.

Python's `re` differs (`$` before a last line break, lookahead, `\pL`) and can be made to hang; RE2 takes time
in proportion to the text. Where Go's syntax and RE2's differ, `rules.matching.regex_dialect` translates.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import re2

from rules.matching.regex_dialect import RegexError, to_re2

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RegexError", "compile_anchored"]

_USUAL_MEMORY = 8 << 20
_MOST_MEMORY = 256 << 20


@lru_cache(maxsize=1024)
def compile_anchored(value: str) -> Callable[[str], bool]:
    """Return a test for `^(?:value)$`, put together as text and searched, as Alertmanager does.

    So `a)|(?:b` compiles, and means "starts with a, or ends with b". Rules that ask the same share one test.
    """
    pattern = to_re2(f"^(?:{value})$")
    try:
        search = _compile(pattern.encode("utf-8", "surrogatepass")).search
    except RegexError as error:
        raise RegexError(str(error).replace(pattern, value)) from error

    def test(text: str) -> bool:
        return search(text.encode("utf-8", "surrogatepass")) is not None

    return test


def _compile(pattern: bytes, memory: int = _USUAL_MEMORY) -> Any:
    make: Callable[[bytes, re2.Options], Any] = re2.compile
    try:
        return make(pattern, _options(memory))
    except re2.error as error:
        said = str(error.args[0], "utf-8", "replace")
        if "too large" in said and memory < _MOST_MEMORY:
            # Go limits repetition, not memory: a large pattern gets what it needs, within reason.
            return _compile(pattern, _MOST_MEMORY)
        raise RegexError(said) from error


def _options(max_mem: int) -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = max_mem
    return options
