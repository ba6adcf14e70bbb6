"""A proxy between the importer and a real server that injects faults at chosen bytes of the protocol.

It speaks plain IMAP on both sides, so that an offset identifies a byte of a command, a literal or a response.
It removes capabilities from the server's announcements (and [APPENDUID] with UIDPLUS). One server can thus
imitate hosts with any set of capabilities, since servers accept commands that they do not announce.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from providers.endpoint import Endpoint, Security
from tests.rehearsal.ports import HOST, wait_until

Toward = Literal["server", "client"]
Kind = Literal["cut", "stall", "delay", "throttle", "act"]

_CHUNK_BYTES = 65_536
_DELAY_S = 0.2
_THROTTLED_BYTES = 600
_LITERAL = re.compile(rb"\{([0-9]+)\+?\}\r\n\Z")
_ALWAYS_HIDDEN = ("STARTTLS", "COMPRESS=DEFLATE")  # would hide the bytes from the proxy


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault after `at` bytes `toward` that side, counted from the start of the triggering command.

    "cut" closes both connections, "stall" discards all further data in that direction until the client closes
    the connection, "delay" pauses once, "throttle" forwards the next bytes one to seven at a time, "act"
    calls `act` before the next byte is forwarded.
    """

    kind: Kind
    toward: Toward
    at: int
    act: Callable[[], object] = field(default=lambda: None, repr=False)


@dataclass(frozen=True, slots=True)
class Shape:
    """Capabilities to hide from the client, and capabilities to announce in addition."""

    hidden: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()


class FaultProxy:
    """A proxy in front of one server.

    The first fault applies to the first connection with a command that contains `trigger` (None: the first
    connection). `heard` holds the data transferred from that command on. The next fault applies later on the
    same connection, or on the next matching connection if that one is closed.
    """

    def __init__(
        self, server: Endpoint, shape: Shape, trigger: bytes | None, faults: Sequence[Fault]
    ) -> None:
        self._server = server
        self._shape = shape
        self._trigger = trigger
        self._faults = deque(faults)
        self._listener = socket.create_server((HOST, 0))
        self.endpoint = Endpoint("localhost", int(self._listener.getsockname()[1]), Security.PLAINTEXT)
        self.connections = 0
        self.fired = 0  # number of faults so far
        self.trouble: Exception | None = None  # the exception raised by an "act" fault
        self.heard: dict[Toward, bytearray] = {"server": bytearray(), "client": bytearray()}
        self._lock = threading.Lock()
        self._struck: _Connection | None = None
        self._open: set[_Connection] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def settle(self) -> None:
        """Wait until the server has finished all commands that it received before a cut."""
        if not wait_until(lambda: not any(connection.cut for connection in list(self._open)), every_s=0.002):
            raise TimeoutError("the server goes on after its connection was cut")

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open):
            connection.cut_off()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection((HOST, self._server.port))
            for peer in (client, server):
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            connection = _Connection(client, server)
            with self._lock:
                self._open.add(connection)
                if self._trigger is None and self._struck is None:
                    self._struck = connection
            threading.Thread(target=self._to_server, args=(connection,), daemon=True).start()
            threading.Thread(target=self._to_client, args=(connection,), daemon=True).start()

    def _to_server(self, connection: _Connection) -> None:
        line = bytearray()  # data forwarded since the start of the current line, to find the trigger
        with contextlib.suppress(OSError):
            while data := connection.client.recv(_CHUNK_BYTES):
                if self._struck is None and self._trigger is not None:
                    line += data
                    if (index := line.find(self._trigger)) >= 0:
                        start = line.rfind(b"\n", 0, index) + 1
                        before = max(0, start - (len(line) - len(data)))
                        with self._lock:
                            self._struck = self._struck or connection
                        connection.server.sendall(data[:before])
                        data = data[before:]
                    else:
                        del line[: line.rfind(b"\n") + 1]
                self._pass(connection, "server", data)
        connection.cut_off()

    def _to_client(self, connection: _Connection) -> None:
        rewriting = Rewriting(self._shape)
        with contextlib.suppress(OSError):
            while data := connection.server.recv(_CHUNK_BYTES):
                with contextlib.suppress(OSError):  # the client is gone: discard the server's data
                    self._pass(connection, "client", rewriting.feed(data))
        connection.cut_off()
        for peer in (connection.client, connection.server):
            peer.close()
        with self._lock:
            self._open.discard(connection)

    def _pass(self, connection: _Connection, toward: Toward, data: bytes) -> None:
        target = connection.server if toward == "server" else connection.client
        if toward in connection.stalled:
            return
        with self._lock:
            fault = self._faults[0] if self._faults and connection is self._struck else None
            passed = connection.passed[toward]
            if connection is self._struck:
                connection.passed[toward] += len(data)
                if self.fired == 0:
                    self.heard[toward] += data
            if fault is None or fault.toward != toward or passed + len(data) <= fault.at:
                fault = None
            else:
                self._faults.popleft()
                self.fired += 1
                if fault.kind in ("cut", "stall"):
                    self._struck = None
        if fault is None:
            target.sendall(data)
            return
        first = max(0, fault.at - passed)
        if first:
            target.sendall(data[:first])
        self._make(fault, connection, target, data[first:])

    def _make(self, fault: Fault, connection: _Connection, target: socket.socket, rest: bytes) -> None:
        match fault.kind:
            case "cut":
                connection.cut_off()
            case "stall":
                connection.stalled.add(fault.toward)
            case "act":
                try:
                    fault.act()
                except Exception as trouble:  # reported in the test's own thread
                    self.trouble = trouble
                target.sendall(rest)
            case "delay":
                time.sleep(_DELAY_S)
                target.sendall(rest)
            case "throttle":
                at = 0
                while at < min(len(rest), _THROTTLED_BYTES):
                    step = 1 + at % 7
                    target.sendall(rest[at : at + step])
                    time.sleep(0.0005)
                    at += step
                target.sendall(rest[at:])


class _Connection:
    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        # Bytes since the connection was selected for a fault.
        self.passed: dict[Toward, int] = {"server": 0, "client": 0}
        self.stalled: set[Toward] = set()
        self.cut = False

    def cut_off(self) -> None:
        """Close the client's connection. The server sees the end of its input and is read until it closes the
        connection: by then it has finished its work."""
        self.cut = True
        with contextlib.suppress(OSError):
            self.client.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self.server.shutdown(socket.SHUT_WR)


class Rewriting:
    """Removes capabilities and APPENDUID from a server's lines. Literals are not changed."""

    def __init__(self, shape: Shape) -> None:
        self._hidden = frozenset((*_ALWAYS_HIDDEN, *shape.hidden))
        self._shown = " ".join(shape.shown)
        self._line = bytearray()
        self._literal_bytes = 0

    def feed(self, data: bytes) -> bytes:
        out = bytearray()
        at = 0
        while at < len(data):
            if self._literal_bytes:
                passing = data[at : at + self._literal_bytes]
                self._literal_bytes -= len(passing)
                at += len(passing)
                out += passing
                continue
            end = data.find(b"\n", at) + 1
            self._line += data[at : end or len(data)]
            at = end or len(data)
            if end:
                line = bytes(self._line)
                self._line.clear()
                if literal := _LITERAL.search(line):
                    self._literal_bytes = int(literal[1])
                out += self._rewritten(line)
        return bytes(out)

    def _rewritten(self, line: bytes) -> bytes:
        if "UIDPLUS" in self._hidden:
            line = re.sub(rb"^(\S+ OK )\[APPENDUID [^\]]*\] ", rb"\1", line)
        return re.sub(rb"(?<=CAPABILITY )([^\]\r]*)", self._capabilities, line, count=1)

    def _capabilities(self, match: re.Match[bytes]) -> bytes:
        shown = [name for name in match[1].decode("ascii").split() if name not in self._hidden]
        return " ".join((*shown, self._shown)).strip().encode("ascii")


@contextmanager
def fault_proxy(
    server: Endpoint,
    shape: Shape | None = None,
    *,
    trigger: bytes | None = None,
    faults: Sequence[Fault] = (),
) -> Iterator[FaultProxy]:
    """Run a proxy in front of `server`, which must accept logins without TLS."""
    proxy = FaultProxy(server, shape or Shape(), trigger, faults)
    try:
        yield proxy
    finally:
        proxy.stop()
    if proxy.trouble is not None:
        raise proxy.trouble
