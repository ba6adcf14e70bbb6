"""Free loopback ports, folders for servers, and waiting for a server to start."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HOST = "127.0.0.1"
PATIENCE_S = 120.0
"""The time that tests wait for what must happen: a busy machine may be many times slower than a free one."""
CHOSEN_PORTS = range(12_000, 32_000)
"""Below the ports that Linux chooses by itself (net.ipv4.ip_local_port_range)."""
_MEMORY = Path("/dev/shm")
_ROOM_BYTES = 4 * 2**30


class RehearsalError(RuntimeError):
    """A rehearsal server is missing, did not start, or failed to execute a command."""


def home_folder(prefix: str, *, on_disk: bool = False) -> Path:
    """A new folder for the files of a server: in memory if there is enough room, or `on_disk`.

    A mail server has thousands of small files, and removing them from a disk may take a minute. The path is
    short because the path of a unix socket is limited to 107 bytes.
    """
    in_memory = not on_disk and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM_BYTES
    return Path(tempfile.mkdtemp(prefix=prefix, dir=_MEMORY if in_memory else "/tmp"))


def free_ports(count: int = 1) -> list[int]:
    """Distinct TCP ports on 127.0.0.1 that are free at the moment.

    The system never chooses them for a connection, or for a server without a port of its own. From those that
    it does choose, a probe of a server that has not started yet can even connect to itself. Another call may
    return the same port before the server binds it, though seldom: callers should retry with other ports.
    """
    found: list[int] = []
    while len(found) < count:
        port = secrets.choice(CHOSEN_PORTS)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as holder, contextlib.suppress(OSError):
            holder.bind((HOST, port))
            if port not in found:
                found.append(port)
    return found


def listens(address: int | Path) -> bool:
    """Whether a server accepts connections on that loopback port or unix socket."""
    family = socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(address) if isinstance(address, Path) else (HOST, address))
        except OSError:
            return False
        return True


def wait_until(
    condition: Callable[[], bool], *, timeout_s: float = PATIENCE_S, every_s: float = 0.02
) -> bool:
    """Poll `condition`. Returns True once it holds, or False after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every_s)
    return True
