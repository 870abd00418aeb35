"""What `rollbackctl history --verify` prints."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from controller.cli.failures import Failed, Unusable
from controller.cli.options import api, load
from controller.cli.terminal import print_json, print_table, say
from controller.cli.verifying import check, walk
from controller.settings.sealing import read_keys
from controller.settings.secrets import SecretUnreadable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from controller.cli.verifying import Checked
    from rules.seals import Key

_EXPLAINED = "docs/explanation/audit.md says what a seal proves"


def verify_history(
    config: Path | None, url: str | None, key_file: Path | None, service: str | None, *, as_json: bool
) -> None:
    """Check everything that is remembered, and print what was found; exit code 1 where anything is broken."""
    keys, note = _keys(config, key_file)
    walked = walk(api(config, url))
    found = [one for one in check(walked, keys) if service is None or one.service == service or not one.id]
    if as_json:
        print_json({"newest": walked.newest, "rollbacks": [one.public() for one in found], "note": note})
    else:
        _print(found, walked.newest, note)
    if broken := sum(1 for one in found if one.verdict == "broken"):
        raise Failed(
            f"{broken} of {len(found)} are not as they were written. Do not believe these records; compare them "
            "with the workers' log of that time (rollback.sealed), and find out who can write to Redis. "
            f"{_EXPLAINED}."
        )


def _keys(config: Path | None, key_file: Path | None) -> tuple[Sequence[Key], str]:
    """Return the keys, and what is to be said where there are none."""
    named = key_file or load(config).audit.key_file
    if named is None:
        return (), "Seals were not checked, only the chain of each journal: say --key-file."
    try:
        return read_keys(named), ""
    except SecretUnreadable as error:
        if key_file is not None:
            raise Unusable(str(error)) from error
        return (), f"Seals were not checked, only the chain of each journal: {error}"


def _print(found: Sequence[Checked], newest: int, note: str) -> None:
    telling = [one for one in found if one.verdict in ("broken", "not-sealed")]
    if telling:
        print_table(
            ("ID", "SEAL", "INSTANCE", "IS", "WHY"),
            ((one.id or "-", one.number or "-", one.instance, one.verdict, one.why) for one in telling),
        )
    counts = Counter(one.verdict for one in found)
    said = [f"{counts['whole']} sealed and whole"]
    if counts["unchecked"]:
        said.append(f"{counts['unchecked']} sealed and not checked")
    say(", ".join([*said, f"{counts['not-sealed']} not sealed", f"{counts['broken']} broken"]) + ".", bold=True)
    if newest:
        say(f"The newest seal has number {newest}. Who notes it elsewhere notices if the newest are taken away.")
    if note:
        say(note)
