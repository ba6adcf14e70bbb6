"""A TCP proxy that cuts connections after a given number of bytes. TLS overhead counts."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from providers.endpoint import Endpoint
from tests.rehearsal.ports import HOST

_CHUNK_BYTES = 4096


class CuttingProxy:
    """A proxy in front of one server. `connections` counts the connections so far."""

    def __init__(self, server: Endpoint, socket_file: Path | None = None) -> None:
        self._server = server
        self._socket_file = socket_file
        self._listener = socket.create_server((HOST, 0))
        self.endpoint = replace(server, port=int(self._listener.getsockname()[1]))
        self.connections = 0
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._budget: dict[str, int | None] = {"client": None, "server": None}
        self._left = dict(self._budget)
        self._muted = False
        self._cuts = 0
        self._frozen = threading.Event()
        self.passed = {"client": 0, "server": 0}  # bytes so far, in each direction
        self.bytes_per_s: int | None = None  # of each connection, in each direction
        self.fast_from: int | None = None  # number of the first connection that is not throttled
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_after(
        self, *, to_client: int | None = None, to_server: int | None = None, times: int = 1
    ) -> None:
        """Cut all open connections after that many more bytes in that direction, `times` times in all."""
        with self._lock:
            self._budget = {"client": to_client, "server": to_server}
            self._left = dict(self._budget)
            self._cuts = times

    def narrow(self, bytes_per_s: int) -> None:
        """Throttle, with small buffers for new connections, so that senders are slowed down too."""
        self.bytes_per_s = bytes_per_s
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * _CHUNK_BYTES)

    @property
    def open_connections(self) -> int:
        with self._lock:
            return len(self._open) // 2

    def freeze(self) -> None:
        """Stop forwarding in both directions; connections are still accepted."""
        self._frozen.set()

    def mute(self) -> None:
        """Discard all data from the server until `cut`. The client's data is still forwarded."""
        self._muted = True

    def cut(self) -> None:
        """Cut all open connections."""
        with self._lock:
            self._muted = False
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                server = self._connect()
            except OSError:
                client.close()
                continue
            with self._lock:
                self._open |= {client, server}
            slow = self.fast_from is None or self.connections < self.fast_from
            for source, target, toward in ((client, server, "server"), (server, client, "client")):
                threading.Thread(target=self._pump, args=(source, target, toward, slow), daemon=True).start()

    def _connect(self) -> socket.socket:
        if self._socket_file is None:
            return socket.create_connection((HOST, self._server.port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(self._socket_file))
        return server

    def _pump(self, source: socket.socket, target: socket.socket, toward: str, slow: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK_BYTES):
                while self._frozen.is_set():
                    time.sleep(0.1)
                if self.bytes_per_s is not None and slow:
                    time.sleep(len(data) / self.bytes_per_s)
                with self._lock:
                    remaining = self._left[toward]
                    passing = data if remaining is None else data[:remaining]
                    last = remaining is not None and len(data) >= remaining
                    if remaining is not None:
                        self._left[toward] = remaining - len(passing)
                    if last:
                        self._cuts -= 1
                        self._left = dict(self._budget) if self._cuts > 0 else dict.fromkeys(self._budget)
                if not (self._muted and toward == "client"):
                    target.sendall(passing)
                self.passed[toward] += len(passing)
                if last:
                    self.cut()
                    break
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        with self._lock:
            self._open -= {source, target}


@contextmanager
def cutting_proxy(server: Endpoint, socket_file: Path | None = None) -> Iterator[CuttingProxy]:
    """Run a proxy on localhost in front of `server`, or of a server at a unix socket."""
    proxy = CuttingProxy(server, socket_file)
    try:
        yield proxy
    finally:
        proxy.stop()
