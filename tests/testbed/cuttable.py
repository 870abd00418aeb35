"""A way to a port on loopback that can be cut, as a network is."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class Cuttable:
    """Passes everything on, until it is cut; new connections pass again."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._server = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self._pumps: list[threading.Thread] = []
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def cut(self) -> None:
        """Break every connection that is there now."""
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._ends.clear()

    def close(self) -> None:
        """Cut, and let nobody in any more."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()
        self.cut()
        for pump in self._pumps:
            pump.join()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._server.accept()
                there = socket.create_connection(("127.0.0.1", self._to_port))
                self._ends += [here, there]
                for one, other in ((here, there), (there, here)):
                    pump = threading.Thread(target=_pump, args=(one, other))
                    self._pumps.append(pump)
                    pump.start()


def _pump(one: socket.socket, other: socket.socket) -> None:
    with one, contextlib.suppress(OSError):
        while data := one.recv(1 << 16):
            other.sendall(data)
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def cuttable(to_port: int) -> Iterator[Cuttable]:
    """Give a way to a port that can be cut."""
    way = Cuttable(to_port)
    try:
        yield way
    finally:
        way.close()
