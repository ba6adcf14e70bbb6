"""The quirk server: listens on localhost and serves one mailbox."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from providers.endpoint import Endpoint, Security
from tests.rehearsal.ports import HOST
from tests.rehearsal.quirks import (  # noqa: F401 - registers the quirks
    admission,
    answers,
    append_answers,
    append_outcomes,
    append_refusals,
    breaking_off,
    claims,
    contents,
    counting,
    creating,
    finding,
    folder_lists,
    folder_names,
    keeping,
    line_forms,
    meanwhile,
    nested_names,
    odd_names,
    odd_replies,
    opening,
    pacing,
    partial_lists,
    removing,
    replicas,
    reported,
    signing_in,
    source_mail,
    storing,
    unasked,
)
from tests.rehearsal.quirks.hooks import MODERN
from tests.rehearsal.quirks.mail import Mailbox, sample
from tests.rehearsal.quirks.registry import QUIRKS
from tests.rehearsal.quirks.session import Session


class QuirkServer:
    """Serves `box` with the given quirks.

    `commands` holds the commands of clients: (connection, command, arguments). `logins` are the user names
    that were accepted, one for each login; `appended` counts messages that were stored.
    """

    def __init__(
        self,
        quirks: Sequence[str],
        box: Mailbox,
        *,
        port: int = 0,
        capabilities: str = MODERN,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self.box = box
        self.capabilities = capabilities
        self.commands: list[tuple[int, bytes, list[object]]] = []
        self.logins: list[str] = []
        self.appended = 0
        self._stage = 1
        self._connections = 0
        self._log = log
        self._open: set[Session] = set()
        self._kinds = [QUIRKS[name] for name in quirks]
        self._kind: type[Session] = (
            type("CombinedQuirks", (*self._kinds, Session), {}) if self._kinds else Session
        )
        for kind in self._kinds:
            kind.prepare(box)
        self._listener = socket.create_server((HOST, port), backlog=100)
        self.endpoint = Endpoint("localhost", int(self._listener.getsockname()[1]), Security.PLAINTEXT)
        threading.Thread(target=self._accept, daemon=True, name="quirks").start()

    def next_stage(self) -> None:
        """Apply the changes that the quirks make between two runs of the client."""
        with self.box.lock:
            self._stage += 1
            for kind in self._kinds:
                kind.next_stage(self.box, self._stage)

    def log(self, number: int, side: str, data: bytes) -> None:
        if self._log is not None:
            for line in data.splitlines():
                self._log(f"{number} {side}: {line[:200].decode('latin-1')}")

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for session in list(self._open):
            session.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections += 1
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = self._kind(self, connection, self._connections)
            self._open.add(session)
            threading.Thread(target=self._serve, args=(session,), daemon=True).start()

    def _serve(self, session: Session) -> None:
        try:
            session.run()
        finally:
            self._open.discard(session)
            session.close()


@contextmanager
def quirk_server(
    quirks: Sequence[str] = (), *, box: Mailbox | None = None, capabilities: str = MODERN
) -> Iterator[QuirkServer]:
    """Run a server, by default with the sample mailbox."""
    server = QuirkServer(quirks, box or sample(), capabilities=capabilities)
    try:
        yield server
    finally:
        server.stop()
