"""Responses that never complete. Slow continuous ones exceed the stall watchdog's minimum of 64 B/s."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Final

from tests.rehearsal.hostile.attack import Attack, at, dripping, lines
from tests.rehearsal.scripted import DRIP

MESSAGE: Final = b'* 1 FETCH (UID 1 FLAGS () INTERNALDATE "02-Feb-2003 04:05:06 +0000" BODY[] {4000000}\r\n'


def silence() -> Iterator[bytes]:
    """Send nothing, without end."""
    for _ in itertools.count():
        yield b""
        time.sleep(0.5)


@at("LIST")
def list_drip(_command: str) -> Iterator[bytes]:
    return dripping(lines(b'* LIST () "/" "folder %d"\r\n', 6), 0.5)


@at("STATUS")
def status_drip(_command: str) -> Iterator[bytes]:
    return dripping(lines(b"* OK still here %d\r\n", 6), 0.5)


@at("UID FETCH")
def message_drip(_command: str) -> Iterator[bytes]:
    return itertools.chain((MESSAGE,), dripping(itertools.repeat(b"x" * 60), 0.5))


@at("UID FETCH")
def byte_drip(_command: str) -> bytes:
    return MESSAGE + DRIP + b"x"


@at("LIST")
def silent_list(_command: str) -> Iterator[bytes]:
    return silence()


@at("UID FETCH")
def silent_fetch(_command: str) -> Iterator[bytes]:
    return silence()


@at("APPEND")
def silent_append(_command: str) -> Iterator[bytes]:
    return silence()


@at("AUTHENTICATE", "LOGIN")
def login_drip(_command: str) -> Iterator[bytes]:
    return dripping(lines(b"* OK wait %d\r\n", 1), 0.5)


@at("AUTHENTICATE", "LOGIN")
def silent_login(_command: str) -> Iterator[bytes]:
    return silence()


ATTACKS: Final = (
    Attack("list-drip", "LIST never ends, twelve lines a second", list_drip),
    Attack("status-drip", "STATUS never ends, twelve lines a second", status_drip),
    Attack("message-drip", "a message of 4 MB at 120 B/s", message_drip),
    Attack("byte-drip", "a message of 4 MB, ten bytes a second", byte_drip),
    Attack("silent-list", "LIST is never answered", silent_list),
    Attack("silent-fetch", "FETCH is never answered", silent_fetch),
    Attack("silent-append", "APPEND is never answered", silent_append),
    Attack("login-drip", "the login never ends, two lines a second", login_drip),
    Attack("silent-login", "the login is never answered", silent_login),
)
