"""The sending half of a connection: checks before each piece whether it may still be sent.

A process that is frozen in the middle of an append, or cut off from its store, must not send the rest once
another worker may have taken over. A check before each command is not enough, since an append takes minutes
on a slow line.

Bytes that may still be sent after that: the piece that was handed over between the last check and the freeze,
and the bytes that the operating system holds. Both are bounded, by the sizes below;
`importer/engine/settle.py` waits for them.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final

_PIECE_BYTES: Final = 128 << 10
"""While the line keeps up. Each call may cost a wait for other threads, so pieces are as large as they can be
without blocking."""

_TLS_PIECE_BYTES: Final = 16 << 10
"""While the line does not keep up: one TLS record (RFC 8446 section 5.1). A longer piece would be several
writes without a check in between. Without TLS one write takes what there is room for."""

_UNSENT_BYTES: Final = 160 << 10
"""The bytes that the operating system may hold beyond those in flight. By default it accepts megabytes, and
sends them while the process is frozen, or after it was killed."""

_KEEPS_UP_BYTES: Final = _UNSENT_BYTES - _PIECE_BYTES
"""With no more than this unsent, a whole piece fits without blocking."""

_UNACKNOWLEDGED_MS: Final = 60_000
"""After this time without an acknowledgement the operating system discards the bytes that it holds (RFC
5482)."""

_TCP_INFO: Final[int | None] = getattr(socket, "TCP_INFO", None) if sys.platform == "linux" else None
_TCP_INFO_BYTES: Final = 192
_NOT_SENT: Final = struct.Struct("=I")
_NOT_SENT_AT: Final = 144  # tcpi_notsent_bytes

_ABORT: Final = struct.pack("ii", 1, 0)
_GRACEFUL: Final = struct.pack("ii", 0, 0)


class FencedSender:
    """Sends to a socket. Until `fence` is called it does nothing else."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._check: Callable[[], None] | None = None
        self.sent_bytes = 0

    def fence(self, check: Callable[[], None]) -> None:
        """Call `check` before each piece from now on; what it raises ends `sendall`.

        Closing the socket then discards what the operating system still holds (RST instead of FIN), also if
        the process is killed.
        """
        self._check = check
        self._set(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        for name, value in (("TCP_NOTSENT_LOWAT", _UNSENT_BYTES), ("TCP_USER_TIMEOUT", _UNACKNOWLEDGED_MS)):
            if (option := getattr(socket, name, None)) is not None:
                self._set(socket.IPPROTO_TCP, option, value)

    def check(self) -> None:
        """Raise what the fence raises, if there is one."""
        if self._check is not None:
            self._check()

    def end_gracefully(self) -> None:
        """Let closing deliver what was sent."""
        if self._check is not None:
            self._set(socket.SOL_SOCKET, socket.SO_LINGER, _GRACEFUL)

    def sendall(self, data: bytes | bytearray) -> None:
        """Send everything. Raises OSError, and what the fence raises."""
        if self._check is None:
            self._socket.sendall(data)
            self.sent_bytes += len(data)
            return
        with memoryview(data) as whole:
            sent = 0
            while sent < len(whole):
                # Wait first, then check, then send as much as does not block: a process is frozen while it
                # waits.
                piece_bytes = self._wait_for_room()
                self._check()
                now_sent = self._socket.send(whole[sent : sent + piece_bytes])
                sent += now_sent
                self.sent_bytes += now_sent

    def _wait_for_room(self) -> int:
        """Wait until there is room for a piece; return its size. Raises TimeoutError.

        There is no wait while the operating system holds next to nothing: polling would let other threads run
        in between.
        """
        if self._unsent_bytes() <= _KEEPS_UP_BYTES:
            return _PIECE_BYTES
        timeout_s = self._socket.gettimeout()
        poll = select.poll()
        poll.register(self._socket, select.POLLOUT)
        if not poll.poll(None if timeout_s is None else timeout_s * 1000):
            raise TimeoutError("timed out")
        if isinstance(self._socket, ssl.SSLSocket):
            return _TLS_PIECE_BYTES
        return max(_TLS_PIECE_BYTES, _UNSENT_BYTES - self._unsent_bytes())

    def _unsent_bytes(self) -> int:
        """What the operating system holds and has not sent; _UNSENT_BYTES if it does not tell. Read from
        struct tcp_info (linux/tcp.h), Linux 4.6 or later."""
        if _TCP_INFO is None:
            return _UNSENT_BYTES
        try:
            info = self._socket.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _TCP_INFO_BYTES)
            return int(_NOT_SENT.unpack_from(info, _NOT_SENT_AT)[0])
        except (OSError, struct.error):
            return _UNSENT_BYTES

    def getsockopt(self, level: int, option: int, size_bytes: int) -> bytes:
        return self._socket.getsockopt(level, option, size_bytes)

    def _set(self, level: int, option: int, value: int | bytes) -> None:
        with suppress(OSError):  # not TCP, or closed already
            self._socket.setsockopt(level, option, value)
