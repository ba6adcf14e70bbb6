"""The bytes of one connection of a quirk server: lines, literals and words of commands."""

from __future__ import annotations

import contextlib
import re
import select
import socket
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from tests.rehearsal.imitations import parsing

if TYPE_CHECKING:
    from tests.rehearsal.quirks.server import QuirkServer

Words: TypeAlias = list[Any]
"""Arguments of a command: bytes for atoms and quoted strings, `Literal` for literals, lists for lists."""

_READ_BYTES = 1 << 16


class Literal(bytes):
    """An argument that came as a literal."""


class InvalidCommand(Exception):
    """The command gets BAD with this text."""


class HangUp(Exception):
    """Ends the connection after the responses so far are sent."""


def words(parts: Sequence[bytes]) -> Words:
    """The words of a command; `parts` are text, literal, text, ... Raises InvalidCommand."""
    try:
        return [_as_bytes(word) for word in parsing.words(parts)]
    except parsing.Unreadable as error:
        raise InvalidCommand(f"arguments that cannot be parsed: {error}") from error


def _as_bytes(word: parsing.Word) -> Any:
    match word:
        case list():
            return [_as_bytes(inner) for inner in word]
        case bytes():
            return Literal(word)
        case _:
            return word.encode("latin-1")


def quoted(value: bytes) -> bytes:
    return parsing.quoted(value.decode("latin-1")).encode("latin-1")


def literal(value: bytes) -> bytes:
    return b"{%d}\r\n%s" % (len(value), value)


def as_set(numbers: Iterable[int]) -> bytes:
    """Ascending numbers as a sequence set."""
    return parsing.as_ranges(list(numbers)).encode()


class Wire:
    """One connection. Responses are sent when the server next waits for the client."""

    def __init__(self, server: QuirkServer, connection: socket.socket, number: int) -> None:
        self.server = server
        self.number = number
        self._connection = connection
        self._input = bytearray()
        self._output = bytearray()

    def say(self, line: bytes) -> None:
        self.say_raw(line + b"\r\n")

    def say_raw(self, data: bytes) -> None:
        self._output += data

    def flush(self) -> None:
        data, self._output = bytes(self._output), bytearray()
        if data:
            self.server.log(self.number, "S", data)
            self.send(data)

    def send(self, data: bytes) -> None:
        """Send all of `data`. Quirks override it to change bytes or packets."""
        self._connection.sendall(data)

    def read_line(self) -> bytes:
        """The next line of the client, without its line end."""
        while (end := self._input.find(b"\n")) < 0:
            self._receive()
        line = bytes(self._input[:end]).removesuffix(b"\r")
        del self._input[: end + 1]
        return line

    def read_exactly(self, count: int) -> bytes:
        while len(self._input) < count:
            self._receive()
        data = bytes(self._input[:count])
        del self._input[:count]
        return data

    def more_has_come(self, within_s: float) -> bool:
        """Whether the client has sent data that was not read yet."""
        return bool(self._input) or bool(select.select([self._connection], [], [], within_s)[0])

    def forget_what_has_come(self) -> None:
        self._input.clear()
        while select.select([self._connection], [], [], 0)[0]:
            if not self._connection.recv(_READ_BYTES):
                raise HangUp

    def _receive(self) -> None:
        self.flush()
        data = self._connection.recv(_READ_BYTES)
        if not data:
            raise HangUp
        self.server.log(self.number, "C", data)
        self._input += data

    def read_command(self) -> list[bytes]:
        """Text, literal, text, ... of one command, without line ends."""
        parts: list[bytes] = []
        while True:
            line = self.read_line()
            announced = _LITERAL.search(line)
            if announced is None:
                return [*parts, line]
            self.accept_literal(line, synchronizing=not announced[2])
            parts += [line[: announced.start()], self.read_exactly(int(announced[1]))]

    def accept_literal(self, line: bytes, *, synchronizing: bool) -> None:
        """Called before a literal is read. `line` ends in its announcement."""
        if synchronizing:
            self.say(b"+ go on")

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()


_LITERAL = re.compile(rb"\{([0-9]+)(\+?)\}\Z")
