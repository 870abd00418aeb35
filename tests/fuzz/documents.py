"""Files that people write: real ones, changed as trees, written in some style, changed as text."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import yaml
from hypothesis import strategies as st

from fuzz import pieces
from fuzz.corpus import texts, trees
from fuzz.trees import EDITS, Edit, edited


class _Dumper(yaml.SafeDumper):
    """Puts into quotes what our own reader wants in quotes, as `06:00`."""

    def represent_text(self, text: str) -> yaml.Node:
        """Write a text."""
        return self.represent_scalar("tag:yaml.org,2002:str", text, style='"' if text[:1].isdigit() else None)


_Dumper.add_representer(str, _Dumper.represent_text)


def _yaml(tree: Any, **how: Any) -> str:
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, **how)


_STYLES: tuple[Callable[[Any], str], ...] = (
    _yaml,
    partial(_yaml, allow_unicode=True, width=10_000),
    partial(_yaml, default_flow_style=True),
    partial(json.dumps, indent=1),
    partial(json.dumps, ensure_ascii=False),
)


def files(kind: str) -> st.SearchStrategy[bytes]:
    """Draw files of a kind: right ones, nearly right ones, and rubbish."""
    return st.builds(
        lambda base, edits, style, changes: _file(kind, base, edits, style, changes),
        st.integers(0, 999),
        EDITS,
        st.integers(0, len(_STYLES) - 1),
        st.just([]) | pieces.CHANGES,
    )


def _file(kind: str, base: int, edits: list[Edit], style: int, changes: list[pieces.Change]) -> bytes:
    base %= len(texts(kind))
    text = written(edited(trees(kind)[base], edits), style) if edits else texts(kind)[base]
    return pieces.changed(text.encode("utf-8", "surrogatepass"), changes, pieces.YAML)


def written(tree: Any, style: int) -> str:
    """Write a tree down in one of the styles; in JSON where the style cannot hold it."""
    try:
        return _STYLES[style % len(_STYLES)](tree)
    except (yaml.YAMLError, UnicodeError, TypeError):
        return json.dumps(tree, default=str)
