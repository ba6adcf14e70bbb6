"""Single values that are far too large, and invented numbers."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator
from typing import Final

from tests.rehearsal.hostile.attack import Attack, at, zeros

MANY: Final = 4_294_967_295
LITERAL_BYTES: Final = 256 << 20


def _select(messages: int, uidnext: int) -> bytes:
    return b"* %d EXISTS\r\n* OK [UIDVALIDITY 9] x\r\n* OK [UIDNEXT %d] x\r\nTAG OK [READ-ONLY] done\r\n" % (
        messages,
        uidnext,
    )


@at("STATUS", "EXAMINE", "SELECT")
def huge_status(command: str) -> bytes:
    if command.startswith("STATUS"):
        return b'* STATUS "INBOX" (MESSAGES %d UIDNEXT %d UIDVALIDITY 9)\r\nTAG OK done\r\n' % (MANY, MANY)
    return _select(MANY, MANY)


@at("EXAMINE", "SELECT")
def huge_exists(_command: str) -> bytes:
    return _select(MANY, 9)


@at("STATUS", "EXAMINE", "SELECT")
def invented_messages(command: str) -> bytes:
    if command.startswith("STATUS"):
        return b'* STATUS "INBOX" (MESSAGES 5000000 UIDNEXT 5000001 UIDVALIDITY 9)\r\nTAG OK done\r\n'
    return _select(5_000_000, 5_000_001)


@at("LIST")
def many_folders(_command: str) -> bytes:
    return b"".join(b'* LIST () "/" "folder %d"\r\n' % n for n in range(31_000)) + b"TAG OK done\r\n"


@at("LIST")
def huge_name(_command: str) -> Iterator[bytes]:
    return itertools.chain((b'* LIST () "/" {%d}\r\n' % LITERAL_BYTES,), zeros(LITERAL_BYTES))


@at("LIST")
def huge_line(_command: str) -> Iterator[bytes]:
    return itertools.chain((b'* LIST () "/" "',), zeros(1 << 40))


@at("UID FETCH")
def huge_header(command: str) -> Iterator[bytes] | bytes:
    if "HEADER" not in command:
        return b"TAG OK done\r\n"
    head = b"* 1 FETCH (UID 1 RFC822.SIZE 100 BODY[HEADER.FIELDS (DATE)] {%d}\r\n" % LITERAL_BYTES
    return itertools.chain((head,), zeros(LITERAL_BYTES))


@at("UID FETCH")
def huge_envelope(_command: str) -> Iterator[bytes]:
    head = b'* 1 FETCH (UID 1 ENVELOPE ("x" {%d}\r\n' % LITERAL_BYTES
    return itertools.chain((head,), zeros(LITERAL_BYTES))


@at("UID SEARCH", "EXAMINE", capabilities="IMAP4rev1 AUTH=PLAIN UIDPLUS ESEARCH")
def huge_search(command: str) -> Iterator[bytes] | bytes:
    if command.startswith("EXAMINE"):
        return _select(5_000_000, MANY)
    odd = b"".join(b"%d," % n for n in range(1, 200_000, 2))
    return itertools.chain((b'* ESEARCH (TAG "TAG") UID ALL ',), itertools.repeat(odd))


@at("COMPRESS", capabilities="IMAP4rev1 AUTH=PLAIN UIDPLUS COMPRESS=DEFLATE")
def compression_bomb(_command: str) -> Iterator[bytes]:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    line = deflate.compress(b"* OK " + b"x" * 60_000 + b"\r\n" + b"* OK x\r\n" * 200_000)
    bomb = line + deflate.flush(zlib.Z_FULL_FLUSH)
    return itertools.chain((b"TAG OK go on\r\n",), itertools.repeat(bomb))


ATTACKS: Final = (
    Attack("huge-status", "STATUS and EXISTS announce 4,294,967,295 messages", huge_status),
    Attack("huge-exists", "EXISTS announces 4,294,967,295 messages, STATUS does not", huge_exists),
    Attack("invented-messages", "five million messages are announced, and there is none", invented_messages),
    Attack("many-folders", "LIST names 31,000 folders", many_folders),
    Attack("huge-name", "the name of a folder is a literal of 256 MiB", huge_name),
    Attack("huge-line", "a line without an end", huge_line),
    Attack("huge-header", "a header is a literal of 256 MiB", huge_header),
    Attack("huge-envelope", "an envelope is a literal of 256 MiB", huge_envelope),
    Attack("huge-search", "an ESEARCH response without an end", huge_search),
    Attack("compression-bomb", "deflated responses that inflate a thousandfold", compression_bomb),
)
