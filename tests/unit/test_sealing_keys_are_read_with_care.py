"""The file with the keys that seal: what is refused, in words that say what to do, and what a line more means."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.settings.sealing import Audit, read_keys
from controller.settings.secrets import SecretUnreadable

GOOD = "0123456789abcdef" * 2


def written(folder: Path, text: str | bytes, mode: int = 0o600) -> Path:
    path = folder / "audit.key"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("short", 0o600, "key 1 has 5 bytes and needs 32 at least. Write one with `openssl rand -hex 32`"),
        (f"{GOOD}\nshort\n", 0o600, "key 2 has 5 bytes and needs 32 at least"),
        (GOOD, 0o604, "may be read by every user of this machine, who could forge seals. Run `chmod o= "),
        (GOOD, 0o602, "may be read by every user"),
        ("", 0o600, "is empty. Write the secret into it"),
        (b"\xff" * 40, 0o600, "it is not text"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str | bytes, mode: int, said: str) -> None:
    """And no key is ever in the sentence."""
    path = written(tmp_path, text, mode)
    with pytest.raises(SecretUnreadable) as refused:
        read_keys(path)
    assert said in str(refused.value)
    assert GOOD not in str(refused.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The workers do not start with it."""
    with pytest.raises(SecretUnreadable, match=r"No such file.*Create it"):
        Audit(key_file=tmp_path / "none").keys()


def test_each_line_is_a_key(tmp_path: Path) -> None:
    """A group may read the file; white space is no part of a key, and a key's name does not show it."""
    keys = read_keys(written(tmp_path, f"  {GOOD} \r\n\n{GOOD}2\n", 0o640))
    assert [key.secret.decode() for key in keys] == [GOOD, f"{GOOD}2"]
    assert keys[0].name != keys[1].name
    assert GOOD not in repr(keys)


def test_without_a_file_nothing_is_sealed() -> None:
    """The default."""
    assert Audit().keys() == ()
