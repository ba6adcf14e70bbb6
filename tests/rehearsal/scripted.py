"""An IMAP server with scripted responses, for those that no installed server gives."""

from __future__ import annotations

import contextlib
import itertools
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from providers.endpoint import Endpoint, Security
from tests.rehearsal.ports import HOST

Answer = Callable[[str], bytes | None]
"""Maps a command, without tag and literals, to the response, in which `TAG` is replaced with the tag, or to
None for that of `usual_answer`. The line after AUTHENTICATE is passed as `CREDENTIALS`."""

StreamedAnswer = Callable[[str], bytes | Iterator[bytes] | None]
"""An `Answer` that may yield the response piece by piece, perhaps without end."""

DRIP = b"\0drip\0"
"""Marker in a response: the rest is sent byte by byte, with pauses, repeatedly until the client is gone."""

GREETING = b"* OK scripted\r\n"
CAPABILITIES = "IMAP4rev1 AUTH=PLAIN UIDPLUS LITERAL+ NAMESPACE UNSELECT"
_LAST_WORDS_SECONDS = 2.0
_DRIP_SECONDS = 0.1
_LITERAL = re.compile(rb"\{([0-9]+)(\+?)\}\r\n\Z")


def usual_answer(command: str, capabilities: str = CAPABILITIES) -> bytes:
    """The response of a server with one folder, INBOX, with UIDs 1 to 8 and UIDVALIDITY 9."""
    match command.split(" ", maxsplit=1)[0]:
        case "CAPABILITY":
            return f"* CAPABILITY {capabilities}\r\nTAG OK done\r\n".encode()
        case "AUTHENTICATE":
            return b"+ \r\n"
        case "EXAMINE" | "SELECT":
            return (
                b"* 8 EXISTS\r\n* OK [UIDVALIDITY 9] x\r\n* OK [UIDNEXT 9] x\r\nTAG OK [READ-ONLY] done\r\n"
            )
        case "STATUS":
            return b'* STATUS "INBOX" (MESSAGES 8 UIDNEXT 9 UIDVALIDITY 9)\r\nTAG OK done\r\n'
        case "LOGOUT":
            return b"* BYE\r\nTAG OK done\r\n"
        case _:
            return b"TAG OK done\r\n"


class ScriptedServer:
    """Listens on localhost. `commands` holds all commands so far, including the login."""

    def __init__(
        self, answer: StreamedAnswer, greeting: bytes, tls: ssl.SSLContext | None, security: Security
    ) -> None:
        self._answer = answer
        self._greeting = greeting
        self._tls = tls
        self._listener = socket.create_server((HOST, 0))
        self.endpoint = Endpoint("localhost", int(self._listener.getsockname()[1]), security)
        self.commands: list[str] = []
        self.connections = 0
        self._talks: list[tuple[socket.socket, threading.Thread]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        """Stop the server. Afterwards `commands` also includes commands whose response was not awaited."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for client, talk in self._talks:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RD)  # received data can still be read
            talk.join(_LAST_WORDS_SECONDS)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            talk = threading.Thread(target=self._serve, args=(client,), daemon=True)
            self._talks.append((client, talk))
            talk.start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self._tls is not None:
                client = self._tls.wrap_socket(client, server_side=True)
            client.sendall(self._greeting)
            stream = client.makefile("rb")
            last = ""
            while line := stream.readline():
                while literal := _LITERAL.search(line):
                    if not literal[2]:
                        client.sendall(b"+ go on\r\n")
                    stream.read(int(literal[1]))
                    line = line[: literal.start()] + stream.readline()
                tag, _, command = line.decode("latin-1").rstrip("\r\n").partition(" ")
                if command:
                    last = tag
                else:
                    command = "CREDENTIALS"
                self.commands.append(command)
                response = self._answer(command)
                if isinstance(response, Iterator):
                    for piece in response:
                        client.sendall(piece.replace(b"TAG", last.encode()))
                    continue
                answer = usual_answer(command) if response is None else response
                at_once, drips, slowly = answer.replace(b"TAG", last.encode()).partition(DRIP)
                client.sendall(at_once)
                for byte in itertools.cycle(slowly) if drips else ():
                    client.sendall(bytes((byte,)))
                    time.sleep(_DRIP_SECONDS)
                if b"* BYE" in answer:
                    break
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
        client.close()


@contextmanager
def scripted_server(
    answer: StreamedAnswer = lambda _command: None,
    *,
    greeting: bytes = GREETING,
    certificate: tuple[Path, Path] | None = None,
    security: Security = Security.PLAINTEXT,
) -> Iterator[ScriptedServer]:
    """Run a server. With a certificate (certificate file, key file) it uses implicit TLS."""
    tls = None
    if certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(*certificate)
    server = ScriptedServer(answer, greeting, tls, security)
    try:
        yield server
    finally:
        server.stop()
