"""The most that two servers can do: sockets and nothing else, beside which a copier is measured.

Upload: batches of MULTIAPPEND (RFC 3502) with LITERAL+ (RFC 7888) that lie ready in memory, sent over
several connections without waiting for any answer. Download: all FETCH commands of a connection at once,
the answers read and thrown away. Both: the two at the same time, as a copier has to. The messages are cut
into as many stretches of equal size as there are connections. Clocks run from the first byte of the first
connection to the last answer of the last one; login and the creation of folders come before.

    python -m benchmarks.raw_limit ORDER

reads what to do from a JSON file (see `main`) and prints what it took.
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
    """A server did not do what the probe asked for."""


@dataclass(frozen=True, slots=True)
class Span:
    """Messages `first` to `last` of one folder, counted from 1."""

    folder: FolderPath
    first: int
    last: int


def cut(stored: Iterable[Stored], total_bytes: int, lanes: int) -> Iterator[tuple[int, int, Stored]]:
    """(lane, number within its folder from 1, message), so that all lanes carry about the same bytes."""
    passed = number = 0
    folder: FolderPath = ()
    for one in stored:
        number = number + 1 if one.folder == folder else 1
        folder = one.folder
        yield min(lanes - 1, passed * lanes // max(1, total_bytes)), number, one
        passed += len(one.content)


def upload_commands(stretch: Iterable[Stored], naming: Naming) -> Iterator[tuple[bytes, bytes]]:
    """(tag, whole command) for each batch of messages of one folder."""
    batch: list[Stored] = []
    room = _BATCH_BYTES
    tag = 0
    for one in stretch:
        full = len(batch) == _BATCH_MESSAGES or room < len(one.content)
        if batch and (full or one.folder != batch[0].folder):
            tag += 1
            yield _command(tag, batch, naming)
            batch, room = [], _BATCH_BYTES
        batch.append(one)
        room -= len(one.content)
    if batch:
        yield _command(tag + 1, batch, naming)


def _command(number: int, batch: Sequence[Stored], naming: Naming) -> tuple[bytes, bytes]:
    tag = b"U%d" % number
    parts = [tag, b" APPEND ", naming.wire_name(batch[0].folder).encode("ascii")]
    for one in batch:
        date = date_text(one.internal_date)
        head = f' ({" ".join(one.flags)}) "{date}" {{{len(one.content)}+}}\r\n'
        parts += (head.encode("ascii"), one.content)
    return tag, b"".join((*parts, b"\r\n"))


def download_commands(spans: Iterable[Span], naming: Naming) -> bytes:
    """Opens and fetches each span; the last answer is that of the tag Z."""
    lines = []
    for number, span in enumerate(spans, 1):
        lines.append(f"E{number} EXAMINE {naming.wire_name(span.folder)}")
        lines.append(f"D{number} FETCH {span.first}:{span.last} (UID FLAGS INTERNALDATE BODY.PEEK[])")
    return "\r\n".join((*lines, "Z NOOP", "")).encode("ascii")


def _upload(sock: socket.socket, commands: Sequence[tuple[bytes, bytes]]) -> None:
    for _, command in commands:
        sock.sendall(command)
    answers = b""
    last = commands[-1][0] + b" "
    while not re.search(rb"(?:\A|\n)" + last + rb"[^\n]*\n", answers):
        answers += _received(sock)
    done = len(re.findall(rb"(?:\A|\n)U\d+ OK ", answers))
    if done != len(commands):
        raise RawLimitError(
            f"{len(commands) - done} of {len(commands)} batches were refused: {answers[:300]!r}"
        )


def _download(sock: socket.socket, commands: bytes, expected_bytes: int) -> None:
    sock.sendall(commands)
    room = bytearray(1 << 20)
    view = memoryview(room)
    tail = b""
    came = 0
    while b"\nZ OK " not in tail:
        count = sock.recv_into(room)
        if not count:
            raise RawLimitError("the server hung up")
        came += count
        tail = (tail + view[max(0, count - _TAIL_BYTES) : count])[-_TAIL_BYTES:]
    if came < expected_bytes:
        raise RawLimitError(f"only {came} of {expected_bytes} bytes came: {tail!r}")


def _received(sock: socket.socket) -> bytes:
    data = sock.recv(1 << 16)
    if not data:
        raise RawLimitError("the server hung up")
    return data


def _opened(login: Login) -> imaplib.IMAP4:
    """A logged-in connection; between commands its socket may be used bare."""
    client = connect(Endpoint(HOST, login.port, Security.PLAINTEXT), login.user, login.password, None)
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.sock.settimeout(_SILENCE_S)
    return client


class _Probe:
    """Everything prepared for one measurement. Closes its connections."""

    def __init__(self, work: Work, count: int, lanes: int) -> None:
        self._folders = folder_paths(work.folders)
        self._messages = partial(messages, work, count)
        self._total_bytes = sum(len(one.content) for one in self._messages())
        self._lanes = lanes
        self._clients: list[imaplib.IMAP4] = []
        self.work: list[Lane] = []

    def prepare_upload(self, login: Login) -> None:
        client = self._open(login)
        naming = naming_of(client)
        for path in self._folders:
            if path != INBOX:
                client.create(naming.wire_name(path))
        # The lanes come one after the other, so that each is packed before the next one's messages are made.
        for lane, stretch in self._stretches():
            commands = list(upload_commands((one for _, _, one in stretch), naming))
            mine = self._open(login) if lane else client
            self.work.append(partial(_upload, mine.sock, commands))

    def prepare_download(self, login: Login) -> None:
        for _, stretch in self._stretches():
            spans: list[Span] = []
            size = 0
            for _, number, one in stretch:
                size += len(one.content)
                if spans and spans[-1].folder == one.folder:
                    spans[-1] = Span(one.folder, spans[-1].first, number)
                else:
                    spans.append(Span(one.folder, number, number))
            client = self._open(login)
            commands = download_commands(spans, naming_of(client))
            self.work.append(partial(_download, client.sock, commands, size))

    def run(self) -> dict[str, float]:
        """Does the work, each lane in a thread of its own. Raises RawLimitError or OSError."""
        start = threading.Barrier(len(self.work) + 1)

        def lane(work: Lane) -> None:
            start.wait()
            work()

        with ThreadPoolExecutor(len(self.work)) as threads:
            running = [threads.submit(lane, work) for work in self.work]
            start.wait()
            started, cpu = time.monotonic(), time.process_time()
            for one in running:
                one.result()
            wall_s, cpu_s = time.monotonic() - started, time.process_time() - cpu
        for client in self._clients:
            client.logout()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return {"wall_s": wall_s, "cpu_s": cpu_s, "peak_bytes": peak}

    def _stretches(self) -> Iterator[tuple[int, Iterator[tuple[int, int, Stored]]]]:
        return groupby(cut(self._messages(), self._total_bytes, self._lanes), key=itemgetter(0))

    def _open(self, login: Login) -> imaplib.IMAP4:
        self._clients.append(_opened(login))
        return self._clients[-1]


def main() -> None:
    """The order holds work, messages, lanes, source and destination; either login may be null."""
    parser = argparse.ArgumentParser(prog="raw_limit", description="Measures what two servers can do.")
    parser.add_argument("order", type=Path, help="JSON file")
    order = json.loads(parser.parse_args().order.read_text(encoding="utf-8"))
    probe = _Probe(WORKS[order["work"]], order["messages"], order["lanes"])
    if order["destination"]:
        probe.prepare_upload(Login(**order["destination"]))
    if order["source"]:
        probe.prepare_download(Login(**order["source"]))
    print(json.dumps(probe.run()))  # noqa: T201


if __name__ == "__main__":
    main()
