"""Sees every change of every link at the moment it happens, from the kernel, and what stands behind it."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import redis
from testbed.local_shops import LocalShop

from chaos.history import DEPLOYER, US, Change, Fence

_LIBC = ctypes.CDLL(None, use_errno=True)
_EVENT = struct.Struct("iIII")
_MODIFY, _CLOSE_WRITE, _MOVED_FROM, _MOVED_TO = 0x2, 0x8, 0x40, 0x80
_CREATE, _DELETE = 0x100, 0x200
_OVERFLOW = 0x4000
_SHOP = _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE
_STATE = _MODIFY | _CLOSE_WRITE


@dataclass(frozen=True, slots=True)
class _Watched:
    shop: LocalShop
    state: bool
    """Whether it is the `.rollback` beside the link."""


class Witness:
    """A thread that writes down what the kernel says of the shops' folders."""

    def __init__(self, shops: Mapping[str, LocalShop], redis_port: int) -> None:
        self.changes: list[Change] = []
        self.fences: list[Fence] = []
        self._redis = redis.Redis(port=redis_port, decode_responses=True, socket_timeout=0.2, retry=None)
        self._watched: dict[int, _Watched] = {}
        self._from: dict[int, str] = {}
        self._over = threading.Event()
        self._handle = _LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        for shop in shops.values():
            self._watch(shop, shop.folder, _SHOP, state=False)
            self.changes.append(self._seen(shop, DEPLOYER))
        self._thread = threading.Thread(target=self._look, name="witness")

    @contextlib.contextmanager
    def watching(self) -> Iterator[Witness]:
        """Watch; on the way out, what is still to be read is read."""
        self._thread.start()
        try:
            yield self
        finally:
            self._over.set()
            self._thread.join()
            os.close(self._handle)
            self._redis.close()

    def _watch(self, shop: LocalShop, folder: Path, mask: int, *, state: bool) -> None:
        number = _LIBC.inotify_add_watch(self._handle, os.fsencode(folder), mask)
        if number < 0:
            raise OSError(ctypes.get_errno(), f"inotify cannot watch {folder}")
        self._watched[number] = _Watched(shop, state)

    def _look(self) -> None:
        ready = select.poll()
        ready.register(self._handle, select.POLLIN)
        while True:
            last = self._over.is_set()
            if ready.poll(50):
                self._take(os.read(self._handle, 1 << 16))
            elif last:
                return

    def _take(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            number, mask, cookie, length = _EVENT.unpack_from(data, at)
            name = data[at + _EVENT.size : at + _EVENT.size + length].rstrip(b"\0").decode()
            at += _EVENT.size + length
            assert not mask & _OVERFLOW, "the kernel had more to tell than the witness could hear"
            watched = self._watched[number]
            if watched.state:
                if name == "fence":
                    self._fence(watched.shop)
            else:
                self._event(watched.shop, mask, cookie, name)

    def _event(self, shop: LocalShop, mask: int, cookie: int, name: str) -> None:
        if mask & _MOVED_FROM:
            self._from[cookie] = name
        if name == ".rollback" and mask & _CREATE:
            self._watch(shop, shop.folder / name, _STATE, state=True)
            self._fence(shop)
        if name == "current":
            by = DEPLOYER if self._from.get(cookie) == ".deploying" else US
            gone = mask & (_DELETE | _MOVED_FROM)
            self.changes.append(
                Change(shop.instance, time.time(), by, None, complete=False) if gone else self._seen(shop, by)
            )

    def _fence(self, shop: LocalShop) -> None:
        fence, _ = _fence_of(shop)
        self.fences.append(Fence(shop.instance, time.time(), fence))

    def _seen(self, shop: LocalShop, by: str) -> Change:
        fence, rollback = _fence_of(shop) if by == US else (0, "")
        try:
            to: str | None = shop.running()
        except OSError:
            to = None
        release = shop.releases / str(to)
        complete = (release / "release.json").is_file() and os.access(release / "bin/shop", os.X_OK)
        intended = self._intended(rollback) if by == US else None
        return Change(shop.instance, time.time(), by, to, complete, fence, rollback, intended)

    def _intended(self, rollback: str) -> bool | None:
        """Whether Redis holds, at this very moment, the intent of a switch of that rollback."""
        try:
            entries = [json.loads(text) for text in self._redis.lrange(f"rc:journal:{rollback}", 0, -1)]
        except redis.exceptions.RedisError:
            return None
        return any(_kind(entry) == ("intent", "switch") for entry in entries)


def _kind(entry: Mapping[str, object]) -> tuple[object, object]:
    return entry.get("kind"), entry.get("step_kind")


def _fence_of(shop: LocalShop) -> tuple[int, str]:
    try:
        number, owner, *_ = (shop.folder / ".rollback/fence").read_text().split()
    except (OSError, ValueError):
        return 0, ""
    return int(number), owner
