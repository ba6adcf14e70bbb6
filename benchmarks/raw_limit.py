"""Measures the maximum throughput of two servers with plain sockets, as the reference for copiers.

Upload: batches of MULTIAPPEND (RFC 3502) with LITERAL+ (RFC 7888), prepared in memory and sent over several
connections without waiting for responses. Download: all FETCH commands of a connection at once, with the
responses discarded. Both: upload and download at the same time, as in a copy. The messages are divided into
stretches of equal size, one per connection. The time is measured from the first byte of the first connection
to the last response of the last one, after login and the creation of folders.

    python -m benchmarks.raw_limit ORDER

reads the parameters from a JSON file (see `main`) and prints the measurements.
"""

from __future__ import annotations

import argparse
import imaplib
import json
import re
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from benchmarks.copiers import Login
from benchmarks.corpora import WORKS, Work, messages
from providers.endpoint import Endpoint, Security
from tests.rehearsal.corpus import folder_paths
from tests.rehearsal.fill import INBOX, FolderPath, Naming, Stored, connect, date_text, naming_of
from tests.rehearsal.ports import HOST

_BATCH_MESSAGES = 100
_BATCH_BYTES = 4 << 20
_SILENCE_S = 300.0
_TAIL_BYTES = 400

Lane = Callable[[], None]


class RawLimitError(RuntimeError):
    """A server did not respond as expected."""


@dataclass(frozen=True, slots=True)
class Span:
    """Messages `first` to `last` of one folder, counted from 1."""

    folder: FolderPath
    first: int
    last: int


def cut(stored: Iterable[Stored], total_bytes: int, lanes: int) -> Iterator[tuple[int, int, Stored]]:
    """Yields (lane, number within the folder from 1, message); all lanes get about the same number of
    bytes."""
    passed = number = 0
    folder: FolderPath = ()
    for message in stored:
        number = number + 1 if message.folder == folder else 1
        folder = message.folder
        yield min(lanes - 1, passed * lanes // max(1, total_bytes)), number, message
        passed += len(message.content)


def upload_commands(stretch: Iterable[Stored], naming: Naming) -> Iterator[tuple[bytes, bytes]]:
    """Yields (tag, complete command) for each batch; a batch belongs to one folder."""
    batch: list[Stored] = []
    room = _BATCH_BYTES
    tag = 0
    for message in stretch:
        full = len(batch) == _BATCH_MESSAGES or room < len(message.content)
        if batch and (full or message.folder != batch[0].folder):
            tag += 1
            yield _command(tag, batch, naming)
            batch, room = [], _BATCH_BYTES
        batch.append(message)
        room -= len(message.content)
    if batch:
        yield _command(tag + 1, batch, naming)


def _command(number: int, batch: Sequence[Stored], naming: Naming) -> tuple[bytes, bytes]:
    tag = b"U%d" % number
    parts = [tag, b" APPEND ", naming.wire_name(batch[0].folder).encode("ascii")]
    for message in batch:
        date = date_text(message.internal_date)
        head = f' ({" ".join(message.flags)}) "{date}" {{{len(message.content)}+}}\r\n'
        parts += (head.encode("ascii"), message.content)
    return tag, b"".join((*parts, b"\r\n"))


def download_commands(spans: Iterable[Span], naming: Naming) -> bytes:
    """Commands that open and fetch each span; the last response has the tag Z."""
    lines = []
    for number, span in enumerate(spans, 1):
        lines.append(f"E{number} EXAMINE {naming.wire_name(span.folder)}")
        lines.append(f"D{number} FETCH {span.first}:{span.last} (UID FLAGS INTERNALDATE BODY.PEEK[])")
    return "\r\n".join((*lines, "Z NOOP", "")).encode("ascii")


def _upload(sock: socket.socket, commands: Sequence[tuple[bytes, bytes]]) -> None:
    for _, command in commands:
        sock.sendall(command)
    responses = b""
    last = commands[-1][0] + b" "
    while not re.search(rb"(?:\A|\n)" + last + rb"[^\n]*\n", responses):
        responses += _received(sock)
    succeeded = len(re.findall(rb"(?:\A|\n)U\d+ OK ", responses))
    if succeeded != len(commands):
        raise RawLimitError(
            f"{len(commands) - succeeded} of {len(commands)} batches were refused: {responses[:300]!r}"
        )


def _download(sock: socket.socket, commands: bytes, expected_bytes: int) -> None:
    sock.sendall(commands)
    buffer = bytearray(1 << 20)
    view = memoryview(buffer)
    tail = b""
    received_bytes = 0
    while b"\nZ OK " not in tail:
        count = sock.recv_into(buffer)
        if not count:
            raise RawLimitError("the server closed the connection")
        received_bytes += count
        tail = (tail + view[max(0, count - _TAIL_BYTES) : count])[-_TAIL_BYTES:]
    if received_bytes < expected_bytes:
        raise RawLimitError(f"only {received_bytes} of {expected_bytes} bytes arrived: {tail!r}")


def _received(sock: socket.socket) -> bytes:
    data = sock.recv(1 << 16)
    if not data:
        raise RawLimitError("the server closed the connection")
    return data


def _opened(login: Login) -> imaplib.IMAP4:
    """A logged-in connection; its socket may be used directly between commands."""
    client = connect(Endpoint(HOST, login.port, Security.PLAINTEXT), login.user, login.password, None)
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.sock.settimeout(_SILENCE_S)
    return client


class Probe:
    """Prepares and runs one measurement, and closes its connections."""

    def __init__(self, work: Work, count: int, lanes: int) -> None:
        self._folders = folder_paths(work.folders)
        self._messages = partial(messages, work, count)
        self._total_bytes = sum(len(message.content) for message in self._messages())
        self._lanes = lanes
        self._clients: list[imaplib.IMAP4] = []
        self.work: list[Lane] = []

    def prepare_upload(self, login: Login) -> None:
        client = self._open(login)
        naming = naming_of(client)
        for path in self._folders:
            if path != INBOX:
                client.create(naming.wire_name(path))
        # One lane after the other: each is encoded before the messages of the next one are generated.
        for lane, stretch in self._stretches():
            commands = list(upload_commands((message for _, _, message in stretch), naming))
            connection = self._open(login) if lane else client
            self.work.append(partial(_upload, connection.sock, commands))

    def prepare_download(self, login: Login) -> None:
        for _, stretch in self._stretches():
            spans: list[Span] = []
            size = 0
            for _, number, message in stretch:
                size += len(message.content)
                if spans and spans[-1].folder == message.folder:
                    spans[-1] = Span(message.folder, spans[-1].first, number)
                else:
                    spans.append(Span(message.folder, number, number))
            client = self._open(login)
            commands = download_commands(spans, naming_of(client))
            self.work.append(partial(_download, client.sock, commands, size))

    def run(self) -> dict[str, float]:
        """Runs each lane in its own thread. Raises RawLimitError or OSError."""
        start = threading.Barrier(len(self.work) + 1)

        def lane(work: Lane) -> None:
            start.wait()
            work()

        with ThreadPoolExecutor(len(self.work)) as threads:
            running = [threads.submit(lane, work) for work in self.work]
            start.wait()
            started, cpu = time.monotonic(), time.process_time()
            for future in running:
                future.result()
            wall_s, cpu_s = time.monotonic() - started, time.process_time() - cpu
        self.close()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return {"wall_s": wall_s, "cpu_s": cpu_s, "peak_bytes": peak}

    def close(self) -> None:
        """Log out."""
        for client in self._clients:
            client.logout()
        self._clients.clear()

    def _stretches(self) -> Iterator[tuple[int, Iterator[tuple[int, int, Stored]]]]:
        return groupby(cut(self._messages(), self._total_bytes, self._lanes), key=itemgetter(0))

    def _open(self, login: Login) -> imaplib.IMAP4:
        self._clients.append(_opened(login))
        return self._clients[-1]


def main() -> None:
    """Runs the command line shown above. The file contains work, messages, lanes, source and destination;
    either login may be null."""
    parser = argparse.ArgumentParser(
        prog="raw_limit", description="Measures the maximum throughput of two servers."
    )
    parser.add_argument("order", type=Path, help="JSON file")
    order = json.loads(parser.parse_args().order.read_text(encoding="utf-8"))
    probe = Probe(WORKS[order["work"]], order["messages"], order["lanes"])
    if order["destination"]:
        probe.prepare_upload(Login(**order["destination"]))
    if order["source"]:
        probe.prepare_download(Login(**order["source"]))
    print(json.dumps(probe.run()))  # noqa: T201


if __name__ == "__main__":
    main()
