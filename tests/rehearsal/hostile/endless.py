"""Endless responses, as fast as the client reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.rehearsal.hostile.attack import Attack, at, numbered
from tests.rehearsal.scripted import GREETING


@at("LIST")
def endless_list(_command: str) -> Iterator[bytes]:
    return numbered(b'* LIST (\\HasNoChildren) "/" "folder %d"\r\n')


@at("LIST")
def unreadable_list(_command: str) -> Iterator[bytes]:
    return numbered(b"* LIST nonsense %d\r\n")


@at("STATUS")
def endless_status(_command: str) -> Iterator[bytes]:
    return numbered(b'* STATUS "INBOX" (MESSAGES 8 UIDNEXT 9 UIDVALIDITY %d)\r\n')


@at("EXAMINE", "SELECT")
def endless_select(_command: str) -> Iterator[bytes]:
    return numbered(b"* %d EXISTS\r\n")


@at("UID FETCH", "FETCH")
def endless_fetch(_command: str) -> Iterator[bytes]:
    return numbered(b"* %d FETCH (UID 4294%d FLAGS (\\Seen))\r\n")


@at("UID FETCH", "FETCH")
def endless_flags(_command: str) -> Iterator[bytes]:
    return numbered(b"* 1 FETCH (UID 1 FLAGS (" + b"a%d " * 20_000 + b"))\r\n")


@at("UID SEARCH", capabilities="IMAP4rev1 AUTH=PLAIN UIDPLUS ESEARCH")
def endless_search(_command: str) -> Iterator[bytes]:
    return numbered(b'* ESEARCH (TAG "x") UID ALL %d\r\n')


@at("STATUS")
def endless_untagged(_command: str) -> Iterator[bytes]:
    return numbered(b"* OK still here %d\r\n")


@at("STATUS")
def endless_alerts(_command: str) -> Iterator[bytes]:
    return numbered(b"* OK [ALERT] read this, number %d\r\n")


@at("STATUS")
def wrong_tags(_command: str) -> Iterator[bytes]:
    return numbered(b"A%d OK done\r\n")


@at("STATUS")
def endless_continuations(_command: str) -> Iterator[bytes]:
    return numbered(b"+ go on %d\r\n")


@at("APPEND")
def wrong_tags_at_append(_command: str) -> Iterator[bytes]:
    return numbered(b"A%d OK done\r\n")


@at("AUTHENTICATE", "LOGIN")
def endless_login(_command: str) -> Iterator[bytes]:
    return numbered(b"* OK [ALERT] wait %d\r\n")


@at("CAPABILITY")
def endless_capabilities(_command: str) -> Iterator[bytes]:
    return numbered(b"* CAPABILITY IMAP4rev1 X%d\r\n")


ATTACKS: Final = (
    Attack("endless-list", "LIST never ends", endless_list),
    Attack("endless-list-lines", "LIST never ends, and no line names a folder", unreadable_list),
    Attack("endless-status", "STATUS never ends", endless_status),
    Attack("endless-select", "EXAMINE never ends", endless_select),
    Attack("endless-fetch", "FETCH brings message after message that were not asked for", endless_fetch),
    Attack("endless-flags", "FETCH brings 140 KB of flags for each message", endless_flags),
    Attack("endless-search", "SEARCH never ends", endless_search),
    Attack("endless-untagged", "untagged OK without end", endless_untagged),
    Attack("endless-alerts", "alerts without end", endless_alerts),
    Attack("endless-continuations", "`+` without end", endless_continuations),
    Attack("wrong-tags", "replies without end to commands that were never sent", wrong_tags),
    Attack(
        "wrong-tags-at-append", "replies without end to appends that were never sent", wrong_tags_at_append
    ),
    Attack("endless-login", "the login never ends", endless_login),
    Attack("endless-capabilities", "CAPABILITY never ends", endless_capabilities, GREETING),
)
