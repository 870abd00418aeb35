"""People, as an installation reaches them: a real HTTP sink at the end of its only channel."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.odd_api import OddApi, Says, odd_api
from testbed.wait import until


@dataclass(frozen=True, slots=True)
class People:
    """Whoever is told. `channels` is the `notify` section of settings that reach them."""

    sink: OddApi
    channels: dict[str, Any]

    def told(self, *words: str) -> list[str]:
        """Return the messages so far, title first, that hold all of these words."""
        all_of_them = [f"{seen.json['title']}\n{seen.json['message']}" for seen in tuple(self.sink.seen)]
        return [text for text in all_of_them if all(word in text for word in words)]

    def hear(self, *words: str, within_s: float = 20) -> str:
        """Wait for a message that holds all of these words, and return it."""

        def heard() -> list[str]:
            found = self.told(*words)
            assert found, self.told()
            return found

        return until(heard, within_s=within_s, what=f"people are told of {words}")[0]


@contextlib.contextmanager
def people(folder: Path) -> Iterator[People]:
    """Be there to be told, at an address of Apprise's `json://`; a file in `folder` holds it."""
    with odd_api() as sink:
        sink.says = [Says(200)]
        urls = folder / "people.urls"
        urls.write_text(f"json://127.0.0.1:{sink.port}/\n")
        yield People(sink, {"people": {"urls-file": str(urls), "default": True}})
