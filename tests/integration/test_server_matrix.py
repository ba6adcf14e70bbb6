"""Messages of odd kinds, copied from each tested server to each, twice: exact, or as a documented rule says.

`tests/rehearsal/stored_forms.py` has one rule per server. A server may refuse a message or alter it. Nothing
may be lost, doubled, altered otherwise or sent again; the report must add up; the source must stay as it was.
"""

from __future__ import annotations

import imaplib
import re
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeUser
from tests.rehearsal import stored_forms
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.dovecot import Dovecot, DovecotOptions, dovecot
from tests.rehearsal.fill import INBOX, FolderPath, connect, naming_of
from tests.rehearsal.hosts import RehearsalHost, User
from tests.rehearsal.installation import Installation
from tests.rehearsal.odd_messages import ODD_MESSAGES
from tests.rehearsal.ports import PATIENCE_S
from tests.rehearsal.stored_forms import UNPREDICTABLE, StoredForm, sent

PLACES: tuple[FolderPath, ...] = (INBOX, ("Projekte",), ("Projekte", "Größe"), ("R&D",))
DATES = ("02-Feb-2003 04:05:06 +0000", "29-Feb-2004 23:59:59 +0530", "31-Dec-2019 23:30:00 -1130")
FLAGS = ("", "\\Seen", "\\Seen \\Answered", "\\Flagged \\Draft")
OUTCOMES = ("copied", "already_there", "duplicate", "skipped", "failed")
TWICE = 3  # the first messages of a folder that are there a second time


@dataclass(frozen=True)
class Server:
    """A tested server: its fixture, or the Dovecot options of one that the matrix starts itself."""

    stored: StoredForm
    fixture: str = ""
    options: DovecotOptions | None = None
    as_read: Callable[[bytes], bytes] = field(default=lambda content: content)
    keeps_dates: bool = True
    keeps_flags: bool = True
    tells_dates: bool = True  # not the time of the look
    renumbers: bool = False  # it assigns UIDVALIDITYs again: messages that it damages may be refused later

    def form(self, content: bytes) -> bytes | None:
        """The stored form of a message that Mailhaul copies to the server; None: the server refuses the
        message."""
        return self.stored(sent(content))

    def kept(self, message: Found) -> tuple[object, object]:
        """The flags and the date of a message, as far as the server keeps them."""
        return self.keeps_flags and message.flags, self.keeps_dates and message.date


def _own_dovecot(stored: StoredForm = stored_forms.dovecot, **options: Any) -> Server:
    return Server(stored, options=DovecotOptions(special_use=False, **options))


SERVERS: dict[str, Server] = {
    "maildir": Server(stored_forms.dovecot, "new_host"),
    "maildir++": Server(stored_forms.dovecot, "old_host"),
    "mdbox": _own_dovecot(mail_driver="mdbox"),
    "sdbox": _own_dovecot(mail_driver="sdbox", separator="^"),
    "mbox": _own_dovecot(stored_forms.dovecot_mbox, mail_driver="mbox"),
    "bare": _own_dovecot(
        mail_driver="mdbox",
        prefix="INBOX/",
        capability_minus=("UIDPLUS", "MULTIAPPEND", "LITERAL+", "ESEARCH", "LIST-EXTENDED", "LIST-STATUS"),
    ),
    "cyrus": Server(stored_forms.cyrus, "cyrus_host"),
    "old-cyrus": Server(stored_forms.munging_cyrus, "old_cyrus_host"),
    "courier": Server(stored_forms.courier, "courier_host"),
    "maildir-mailutils": Server(
        stored_forms.mailutils,
        "maildir_mailutils_host",
        keeps_dates=False,
        keeps_flags=False,
        tells_dates=False,
        renumbers=True,
    ),
    "mailutils": Server(
        stored_forms.mailutils_mbox,
        "mailutils_host",
        as_read=stored_forms.without_own_fields,
        keeps_dates=False,  # it ignores the zone
        renumbers=True,
    ),
    "pymap": Server(stored_forms.pymap, "small_host"),
}


@pytest.fixture(scope="module")
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority
) -> Iterator[Callable[[str], RehearsalHost]]:
    """The servers by name, started on demand."""
    with ExitStack() as stack:
        own: dict[str, Dovecot] = {}

        def host(name: str) -> RehearsalHost:
            server = SERVERS[name]
            if server.fixture:
                started: RehearsalHost = request.getfixturevalue(server.fixture)
                return started
            if name not in own:
                own[name] = stack.enter_context(dovecot(tmp_path_factory.mktemp(name), server.options, ca=ca))
            return own[name]

        yield host


@dataclass(frozen=True)
class Found:
    """A message as the server hands it out."""

    content: bytes
    flags: frozenset[str]
    date: datetime


def fill(user: User) -> None:
    """Append each odd message to one of PLACES, as far as the server accepts messages and folders."""
    client = connect(user.account.endpoint, user.account.login, user.password, user.ca_file)
    naming = naming_of(client)
    places = [path for path in PLACES if path == INBOX or client.create(naming.wire_name(path))[0] == "OK"]
    client.select('"INBOX"', readonly=True)  # mailutils makes an INBOX only then
    client.logout()
    client = connect(user.account.endpoint, user.account.login, user.password, user.ca_file)
    for number, content in enumerate(ODD_MESSAGES.values()):
        place = naming.wire_name(places[number % len(places)])
        for _ in range(2 if number // len(places) < TWICE else 1):
            try:
                append(client, place, FLAGS[number % len(FLAGS)], DATES[number % len(DATES)], content)
            except (imaplib.IMAP4.abort, OSError, ssl.SSLError):
                client = connect(user.account.endpoint, user.account.login, user.password, user.ca_file)
    client.logout()


def open_for_writing(user: User) -> None:
    """Open each folder as a mail program does: only then mailutils numbers the messages of a maildir for
    good."""
    client = connect(user.account.endpoint, user.account.login, user.password, user.ca_file)
    naming = naming_of(client)
    for path in PLACES:
        client.select(naming.wire_name(path))
    client.logout()


def append(client: imaplib.IMAP4, place: str, flags: str, date: str, content: bytes) -> None:
    """APPEND with exactly these bytes, where imaplib's own `append` alters line ends."""
    tag = client._new_tag()
    client.send(tag + f' APPEND {place} ({flags}) "{date}" {{{len(content)}}}\r\n'.encode())
    line = client.readline()
    if line.startswith(b"+"):
        client.send(content + b"\r\n")
    while not line.startswith(tag):
        line = client.readline()
        if not line:
            raise imaplib.IMAP4.abort("the server ended the connection")


def read(user: User) -> dict[str, list[Found]]:
    """Every folder that holds messages, by its name, read with RFC822: Courier cuts BODY[]."""
    client = connect(user.account.endpoint, user.account.login, user.password, user.ca_file)
    folders: dict[str, list[Found]] = {}
    for line in client.list()[1]:
        assert isinstance(line, bytes)
        listed = re.fullmatch(rb'\(([^)]*)\) (?:"(?:\\?.)"|NIL) "?(.+?)"?', line)
        assert listed, line
        if b"noselect" in listed[1].lower() or b"nonexistent" in listed[1].lower():
            continue
        name = listed[2].decode("ascii")
        kind, answer = client.select(f'"{name}"', readonly=True)
        if kind == "OK" and answer[0] != b"0":
            folders[name] = list(_fetched(client))
            assert len(folders[name]) == int(answer[0] or 0)
    client.logout()
    return folders


def _fetched(client: imaplib.IMAP4) -> Iterator[Found]:
    parts = client.fetch("1:*", "(FLAGS INTERNALDATE RFC822)")[1]
    for index, part in enumerate(parts):
        if isinstance(part, tuple):
            after = parts[index + 1] if index + 1 < len(parts) else b""
            line = part[0] + b" " + (after if isinstance(after, bytes) else b"")
            flags = re.search(rb"\bFLAGS \(([^)]*)\)", line)
            date = re.search(rb'\bINTERNALDATE "([^"]+)"', line)
            assert flags, line
            assert date, line
            yield Found(
                part[1],
                frozenset(flags[1].decode().lower().split()) - {"\\recent"},
                datetime.strptime(date[1].decode().strip(), "%d-%b-%Y %H:%M:%S %z").astimezone(UTC),
            )


def altered(server: Server, source: list[Found], folder: list[Found]) -> list[str]:
    """The messages at the destination that have other flags or another date than at the source."""
    allowed: dict[bytes | None, set[tuple[object, object]]] = {}
    for message in source:
        allowed.setdefault(server.form(message.content), set()).add(server.kept(message))
    return [
        f"flags or date altered: {message}"
        for message in folder
        if server.kept(message) not in allowed.get(server.as_read(message.content), {server.kept(message)})
    ]


def expected_at(server: Server, messages: list[Found]) -> tuple[Counter[bytes], int]:
    """The messages of one folder that the destination stores, each content once, and the number that it
    refuses."""
    forms = {message.content: server.form(message.content) for message in messages}
    refused = sum(forms[message.content] is None for message in messages)
    return Counter(form for form in forms.values() if form is not None), refused


def differences(expected: list[Counter[bytes]], actual: list[Counter[bytes]]) -> list[str]:
    """Pair the folders by what they hold, whatever their names are, and say how they differ."""
    problems = []
    left = list(actual)
    for wanted in expected:
        certain = wanted.copy()
        wild = certain.pop(UNPREDICTABLE, 0)
        if not wanted:
            continue
        folder = max(left, key=lambda held: (certain & held).total(), default=Counter[bytes]())
        if folder in left:
            left.remove(folder)
        problems += [f"lost: {content[:120]!r}" for content in certain - folder]
        extra = folder - certain
        if extra.total() != wild:
            problems += [f"unexpected: {content[:120]!r} ({wild} expected)" for content in extra.elements()]
    return problems + [f"unexpected: {content[:120]!r}" for folder in left for content in folder]


@pytest.mark.sampled(6)
@pytest.mark.parametrize("to", SERVERS)
@pytest.mark.parametrize("origin", SERVERS)
def test_a_mailbox_of_odd_messages_is_copied_twice(
    tmp_path: Path, running: Callable[[str], RehearsalHost], make_user: MakeUser, origin: str, to: str
) -> None:
    old, new = make_user(running(origin)), make_user(running(to))
    server = SERVERS[to]
    fill(old)
    open_for_writing(old)
    source = read(old)
    installation = Installation(tmp_path, {"CA_FILE": str(new.ca_file)})
    words = installation.copy_words(old, new)

    first = installation.json(*words, ends=None)["totals"]
    arrived = read(new)
    found = sum(map(len, source.values()))
    assert found > 30
    expected = [expected_at(server, messages) for messages in source.values()]
    refused = sum(count for _, count in expected)
    actual = [Counter(server.as_read(m.content) for m in messages) for messages in arrived.values()]
    problems = [] if first["found"] == found else [f"found {first['found']} of {found}"]
    if first["found"] != sum(first[outcome] for outcome in OUTCOMES):
        problems.append("the report does not add up")
    copied = sum(wanted.total() for wanted, _ in expected)
    if (first["copied"], first["failed"]) != (copied, refused):
        problems.append(f"copied {first['copied']} of {copied}, failed {first['failed']} of {refused}")
    kept = server if SERVERS[origin].tells_dates else replace(server, keeps_dates=False)
    problems += altered(kept, *([*chain(*folders.values())] for folders in (source, arrived)))
    problems += differences([wanted for wanted, _ in expected], actual)
    assert not problems, "\n".join(
        [*(problem[:300] for problem in problems), str({n: len(m) for n, m in arrived.items()}), str(first)]
    )

    again = installation.json(*words, ends=None)["totals"]
    assert (again["copied"], again["found"]) == (0, found)
    uncertain = sum(wanted[UNPREDICTABLE] for wanted, _ in expected) if server.renumbers else 0
    assert refused <= again["failed"] <= refused + uncertain
    assert Counter(len(m) for m in read(new).values()) == Counter(len(m) for m in arrived.values())
    assert {name: Counter(m.content for m in messages) for name, messages in read(old).items()} == {
        name: Counter(m.content for m in messages) for name, messages in source.items()
    }


def test_a_folder_that_is_numbered_anew_at_each_look_is_given_up_soon_and_copied_later(
    tmp_path: Path, running: Callable[[str], RehearsalHost], make_user: MakeUser
) -> None:
    old, new = make_user(running("maildir-mailutils")), make_user(running("maildir"))
    fill(old)
    installation = Installation(tmp_path, {"CA_FILE": str(new.ca_file)})
    words = installation.copy_words(old, new)

    began = time.monotonic()
    first = installation.json(*words, ends=None)
    assert time.monotonic() - began < PATIENCE_S
    assert first["totals"]["adds_up"]  # the numbers change each second: a fast copy may meet no change
    assert first["state"] == "complete" or "anew each time" in str(first)

    open_for_writing(old)
    source = read(old)
    assert installation.json(*words, ends=None)["state"] == "complete"
    wanted = [stored for stored, _ in (expected_at(SERVERS["maildir"], m) for m in source.values())]
    assert differences(wanted, [Counter(m.content for m in found) for found in read(new).values()]) == []
