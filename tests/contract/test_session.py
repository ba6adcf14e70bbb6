"""The contract of `MailboxReader` and `MailboxWriter` (importer/ports/mailbox.py): in five configurations of
Dovecot, three of Cyrus, on Courier, GNU mailutils and pymap, in memory, and on servers that imitate Gmail,
Exchange Online and Yahoo.

Faults that only a server or a network can cause (quotas, cut connections) are tested below, on Dovecot.
"""

from __future__ import annotations

import imaplib
import os
import shutil
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from importer.adapters.imap import fetch
from importer.adapters.imap.deflate import Compression
from importer.adapters.imap.factory import ImapSessions
from importer.adapters.imap.imapclient_adapter import Timeouts
from importer.adapters.imap.reader import ImapReader
from importer.adapters.imap.utf7_names import FolderNames
from importer.adapters.imap.writer import ImapWriter
from importer.compact.uid_set import Uid, UidSet, UidValidity
from importer.domain.mailbox_content import (
    FolderRef,
    FolderStatus,
    Hierarchy,
    Message,
    NotHandedOut,
    Outgoing,
    Rejected,
    Stored,
)
from importer.domain.messages.message_body import SPOOLED_ABOVE_BYTES
from importer.domain.messages.message_body import whole as whole_body
from importer.domain.messages.message_identity import digest
from importer.domain.model import Account
from importer.ports.mailbox import MailboxReader, MailboxWriter
from importer.ports.mailbox_errors import FolderChanged, FolderUnusable, QuotaExceeded
from providers.endpoint import Endpoint, FolderRole, Secret
from providers.errors import ConnectionLost, MailError, Side
from providers.text import Text
from tests.conftest import MakeUser
from tests.fakes.mailbox import MemoryMailbox, MemoryReader, MemorySessions, MemoryWriter
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.dovecot import Dovecot, DovecotOptions, dovecot
from tests.rehearsal.dovecot_config import MAIL_USER
from tests.rehearsal.fill import connect
from tests.rehearsal.hosts import User
from tests.rehearsal.proxy import CuttingProxy, cutting_proxy

pytestmark = pytest.mark.sampled(4, of="bench", always=("new-host", "memory"))
DATE = "02-Feb-2003 04:05:06 +0000"


Reader = ImapReader | MemoryReader
Writer = ImapWriter | MemoryWriter


class Bench:
    """A fresh, empty mailbox: sessions on it, and changes that its owner makes with another client."""

    refused_in_names = ""

    def __init__(self) -> None:
        self._sessions = ExitStack()

    def allows_name(self, name: str) -> bool:
        """Whether the server allows this folder name."""
        return not set(name) & set(self.refused_in_names)

    def open(self) -> Writer:
        """Open the mailbox as a destination."""
        session = self._open()
        self._sessions.callback(session.close)
        return session

    def open_source(self) -> Reader:
        session = self._open_source()
        self._sessions.callback(session.close)
        return session

    def close(self) -> None:
        self._sessions.close()

    def _open(self) -> Writer:
        raise NotImplementedError

    def _open_source(self) -> Reader:
        raise NotImplementedError

    def expunge(self, folder: str, uids: UidSet) -> None:
        raise NotImplementedError

    def mark_deleted(self, folder: str, uids: UidSet) -> None:
        raise NotImplementedError

    def delete(self, folder: str) -> None:
        raise NotImplementedError


class ImapBench(Bench):
    """A mailbox on a server."""

    def __init__(
        self, user: User, endpoint: Endpoint | None = None, *, compression: Compression = "off"
    ) -> None:
        super().__init__()
        self.compression: Compression = compression
        self.user = user
        self.account = replace(user.account, endpoint=endpoint or user.account.endpoint)

    def _open(self) -> Writer:
        return self._factory().open_destination(self.account, Secret(self.user.password))

    def _open_source(self) -> Reader:
        return self._factory().open_source(self.account, Secret(self.user.password))

    def _factory(self) -> ImapSessions:
        return ImapSessions(
            ca_file=self.user.ca_file, timeouts=Timeouts(io_s=20), compression=self.compression
        )

    def expunge(self, folder: str, uids: UidSet) -> None:
        self.mark_deleted(folder, uids, expunge=True)

    def mark_deleted(self, folder: str, uids: UidSet, *, expunge: bool = False) -> None:
        client = self._client()
        client.select(FolderNames().quoted(folder).decode())
        client.uid("STORE", str(uids), "+FLAGS", "(\\Deleted)")
        if expunge:
            client.expunge()
        client.logout()

    def delete(self, folder: str) -> None:
        client = self._client()
        assert client.delete(FolderNames().quoted(folder).decode())[0] == "OK"
        client.logout()

    def _client(self) -> imaplib.IMAP4:
        account = self.user.account
        return connect(account.endpoint, account.login, self.user.password, self.user.ca_file)


class CyrusBench(ImapBench):
    """A mailbox on Cyrus, which refuses some characters in folder names: each was tried with 3.6."""

    refused_in_names = '"%;<>^`{|}\\'


class MemoryBench(Bench):
    """A mailbox in memory, which stores every message unchanged."""

    def __init__(self) -> None:
        super().__init__()
        self.mailbox = MemoryMailbox(hierarchy=Hierarchy("", "/"))
        self._account = Account("ada@mail.example", "ada", Endpoint("mail.example"))

    def _open(self) -> Writer:
        return self._factory().open_destination(self._account, Secret(self.mailbox.password))

    def _open_source(self) -> Reader:
        return self._factory().open_source(self._account, Secret(self.mailbox.password))

    def _factory(self) -> MemorySessions:
        return MemorySessions({self._account.key: self.mailbox})

    def expunge(self, folder: str, uids: UidSet) -> None:
        for uid in uids:
            del self.mailbox.folders[folder].messages[uid]

    def mark_deleted(self, folder: str, uids: UidSet) -> None:
        messages = self.mailbox.folders[folder].messages
        for uid in uids:
            messages[uid] = messages[uid]._replace(flags=(*messages[uid].flags, "\\Deleted"))

    def delete(self, folder: str) -> None:
        del self.mailbox.folders[folder]


LACKING = {
    "without-multiappend": ("MULTIAPPEND",),
    "without-extensions": (
        *("MULTIAPPEND", "LITERAL+", "ESEARCH", "UIDPLUS", "UNSELECT"),
        *("NAMESPACE", "SPECIAL-USE", "LIST-EXTENDED"),
    ),
}


COMPRESSED = "compressed-dovecot"


@pytest.fixture(scope="module")
def shaped_hosts(
    tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority
) -> Iterator[Callable[[str], Dovecot]]:
    """Dovecot servers that hide capabilities or compress, started on demand."""
    with ExitStack() as stack:
        running: dict[str, Dovecot] = {}

        def host(name: str) -> Dovecot:
            if name not in running:
                lacks = LACKING.get(name, ())
                options = DovecotOptions(capability_minus=lacks, compress=name == COMPRESSED)
                running[name] = stack.enter_context(dovecot(tmp_path_factory.mktemp(name), options, ca=ca))
            return running[name]

        yield host


IMITATIONS = ("gmail", "exchange", "yahoo")

WAIVED = {
    ("exchange", "long lines"): "Exchange refuses lines of more than some 10,000 bytes (imapsync FAQ)",
    ("courier-host", "no final line end"): "Courier adds a line end at the end of a message",
    ("yahoo", "no final line end"): "Yahoo refuses a message without a line end at its end (imapsync#209)",
    **{
        (
            host,
            "only_pieces_of_a_large_message",
        ): "the server runs in this process and keeps messages in memory"
        for host in ("memory", *IMITATIONS)
    },
}

HOLD_ON_MAILUTILS = (
    "folders_of_any_name",
    "subscription_shows",
    "a_missing_folder_is_unusable",
)
MAILUTILS_BREAKS = (
    "mailutils: UIDVALIDITY is the time of day while a folder is empty, and messages get fields of its own;"
    " test_server_matrix.py copies to and from it"
)

HOSTS = [
    *("new-host", "old-host", *LACKING, COMPRESSED),
    *("cyrus-host", "old-cyrus-host", "compressed-cyrus"),
    *("courier-host", "mailutils-host"),
    *("pymap", "memory", *IMITATIONS),
]


@pytest.fixture(params=HOSTS)
def bench(request: pytest.FixtureRequest, make_user: MakeUser) -> Iterator[Bench]:
    for (host, case), reason in WAIVED.items():
        if request.param == host and case in request.node.name:
            pytest.skip(reason)
    if request.param == "mailutils-host" and not any(test in request.node.name for test in HOLD_ON_MAILUTILS):
        pytest.skip(MAILUTILS_BREAKS)
    match request.param:
        case "memory":
            made: Bench = MemoryBench()
        case "pymap":
            made = ImapBench(make_user(request.getfixturevalue("small_host")))
        case "cyrus-host" | "old-cyrus-host" as name:
            made = CyrusBench(make_user(request.getfixturevalue(name.replace("-", "_"))))
        case "compressed-cyrus":
            made = CyrusBench(make_user(request.getfixturevalue("cyrus_host")), compression="on")
        case name if name in LACKING or name == COMPRESSED:
            host = request.getfixturevalue("shaped_hosts")(name)
            made = ImapBench(make_user(host), compression="on")
        case name if name in IMITATIONS:
            made = ImapBench(make_user(request.getfixturevalue(f"{name}_host")))
        case name:
            made = ImapBench(make_user(request.getfixturevalue(name.replace("-", "_"))))
    yield made
    made.close()


def outgoing(body: bytes, flags: Sequence[str] = (), internaldate: str = DATE, uid: int = 1) -> Outgoing:
    return Outgoing(Uid(uid), tuple(flags), internaldate, body)


def mail(number: int, text: bytes = b"") -> bytes:
    return b"Message-ID: <%d@old.example>\r\nSubject: %d\r\n\r\n%s\r\n" % (number, number, text)


def new_folder(session: MailboxWriter, name: str = "Box") -> FolderRef:
    full = session.hierarchy().prefix + name
    session.create(full)
    return session.status(full).ref(full)


def stored(session: MailboxWriter, folder: FolderRef, *bodies: bytes) -> list[Uid]:
    """Append the bodies and return their UIDs, from a search where the server does not report them."""
    before = session.uids(folder)
    results = session.append(folder, [outgoing(body) for body in bodies])
    assert all(isinstance(result, Stored) for result in results)
    reported = [result.uid for result in results if isinstance(result, Stored)]
    uids = [uid for uid in reported if uid is not None] or list(session.uids(folder) - before)
    assert len(uids) == len(bodies)
    return uids


def whole(session: MailboxReader, folder: FolderRef, uids: UidSet | None = None) -> dict[Uid, Message]:
    requested = session.uids(folder) if uids is None else uids
    messages = [message for message in session.messages(folder, requested) if isinstance(message, Message)]
    assert len({message.uid for message in messages}) == len(messages)
    return {message.uid: message for message in messages}


def instant(internaldate: str) -> datetime:
    return datetime.strptime(internaldate.strip(), "%d-%b-%Y %H:%M:%S %z").astimezone(UTC)


# --- Folders -------------------------------------------------------------------------------------------

NAMES = ["Entwürfe", "R&D", 'a "quoted" name', "back\\slash", "100 %", "star * star", "日本語", "Plain"]


def test_folders_of_any_name_are_created_listed_and_opened(bench: Bench) -> None:
    session = bench.open()
    prefix, delimiter = session.hierarchy().prefix, session.hierarchy().delimiter
    names = [prefix + name for name in NAMES if bench.allows_name(name)] + [
        f"{prefix}Größe{delimiter}unter & über"
    ]
    for name in names:
        session.create(name)
        assert session.status(name).messages == 0
    counts: list[tuple[int, int]] = []
    source = bench.open_source()
    source.listing(count=lambda done, total: counts.append((done, total)))
    assert counts[-1][0] >= len(names)
    assert counts[-1][1] in (0, counts[-1][0])
    listed = {folder.name: folder for folder in source.folders()}
    assert set(names) <= set(listed)
    assert all(listed[name].selectable and listed[name].delimiter == delimiter for name in names)


def test_inbox_is_case_insensitive(bench: Bench) -> None:
    session = bench.open()
    assert [f.name for f in session.folders()].count("INBOX") == 1
    assert session.status("inbox").uidvalidity == session.status("INBOX").uidvalidity


def test_creating_an_existing_folder_succeeds(bench: Bench) -> None:
    session = bench.open()
    folder = new_folder(session)
    assert new_folder(session) == folder


def test_a_subscription_shows_in_the_listing(bench: Bench) -> None:
    session = bench.open()
    wanted, other = new_folder(session, "Wanted"), new_folder(session, "Other")
    session.subscribe(wanted.name)
    subscribed = {folder.name: folder.subscribed for folder in session.folders()}
    assert subscribed[wanted.name]
    assert not subscribed[other.name]


def test_folders_are_created_in_bulk_and_a_refused_one_stops_no_other(bench: Bench) -> None:
    session = bench.open()
    existing = new_folder(session, "There already")
    prefix, delimiter = session.hierarchy().prefix, session.hierarchy().delimiter
    parent, child = f"{prefix}Größe", f"{prefix}Größe{delimiter}unter & über"
    too_long = prefix + "x" * 400  # longer than a file name may be
    counts: list[tuple[int, int]] = []
    refused = session.create_and_subscribe(
        [existing.name, too_long, parent, child],
        [child, too_long, existing.name],
        lambda done, total: counts.append((done, total)),
    )
    assert counts[-1] == (4, 4)
    assert counts == sorted(counts)
    listed = {folder.name: folder for folder in session.folders()}
    assert {existing.name, parent, child} <= set(listed)
    assert list(refused) == [too_long] * (too_long not in listed)
    assert listed[child].subscribed
    assert listed[existing.name].subscribed
    assert session.status(existing.name).uidvalidity == existing.uidvalidity


def flags_of(session: MailboxReader, folder: FolderRef, since: int = 0) -> dict[Uid, set[str]]:
    """System flags in lower case, keywords unchanged."""
    return {
        uid: {flag.lower() if flag.startswith("\\") else flag for flag in flags}
        for uid, flags in session.flags(folder, session.uids(folder), since)
    }


def test_changing_flags_leaves_other_flags_unchanged(bench: Bench) -> None:
    session = bench.open()
    folder = new_folder(session)
    first, second, third = stored(session, folder, mail(1), mail(2), mail(3))
    assert session.change_flags(folder, UidSet.of([first, second]), ["\\Seen", "\\Flagged"], [])
    assert flags_of(session, folder) == {
        first: {"\\seen", "\\flagged"},
        second: {"\\seen", "\\flagged"},
        third: set(),
    }
    assert session.change_flags(folder, UidSet.of([second, third]), ["\\Answered"], ["\\Seen"])
    assert session.change_flags(folder, UidSet.of([third]), ["\\Answered"], ["\\Draft"])  # already set
    expected = {first: {"\\seen", "\\flagged"}, second: {"\\flagged", "\\answered"}, third: {"\\answered"}}
    assert flags_of(session, folder) == expected
    assert flags_of(bench.open_source(), folder) == expected


def test_keywords_are_changed_where_the_server_stores_them(bench: Bench) -> None:
    session = bench.open()
    folder = new_folder(session)
    [uid] = stored(session, folder, mail(1))
    _, rule = session.open_for_appending(folder.name)
    if rule is None or not rule.any_keyword:
        pytest.skip("the folder accepts no new keywords")
    assert session.change_flags(folder, UidSet.of([uid]), ["$Label1", "Work"], [])
    assert session.change_flags(folder, UidSet.of([uid]), [], ["Work"])
    assert {flag.lower() for flag in flags_of(session, folder)[uid]} == {"$label1"}


def test_changing_flags_ignores_removed_messages(bench: Bench) -> None:
    session = bench.open()
    folder = new_folder(session)
    first, second = stored(session, folder, mail(1), mail(2))
    bench.expunge(folder.name, UidSet.of([first]))
    session.change_flags(folder, UidSet.of([first, second]), ["\\Seen"], [])
    assert flags_of(session, folder) == {second: {"\\seen"}}
    with pytest.raises(FolderChanged):
        session.change_flags(
            FolderRef(folder.name, UidValidity(folder.uidvalidity + 1)), UidSet.of([second]), ["\\Draft"], []
        )
    assert flags_of(session, folder) == {second: {"\\seen"}}


def test_a_flag_change_raises_the_highest_modification_sequence(bench: Bench) -> None:
    session = bench.open()
    folder = new_folder(session)
    first, second = stored(session, folder, mail(1), mail(2))
    source = bench.open_source()

    def highest() -> int:
        fresh = bench.open_source()  # as a leg does: values for an open folder may be stale
        status = fresh.listing(modseqs=True).statuses[folder.name]
        assert isinstance(status, FolderStatus)
        return status.highest_modseq

    before = highest()
    assert session.change_flags(folder, UidSet.of([second]), ["\\Seen"], [])
    after = highest()
    changed = flags_of(source, folder, since=before)
    assert changed[second] == {"\\seen"}
    if before:  # otherwise the server keeps no modseqs and returned all flags
        assert after > before
        assert flags_of(source, folder, since=after) == {}
        assert highest() == after
        assert session.change_flags(folder, UidSet.of([first]), ["\\Flagged"], [])
        assert highest() > after
        # Dovecot 2.3 tracks each message only after the first query, whose answer may hold all of them.
        assert flags_of(source, folder, since=after) == {first: {"\\flagged"}}
    status = source.listing().statuses[folder.name]
    assert isinstance(status, FolderStatus)
    assert not status.highest_modseq
    assert len(whole(source, folder)) == 2  # responses may hold more items from now on


def test_status_returns_the_count_and_uidnext(bench: Bench) -> None:
    session = bench.open()
    folder = new_folder(session)
    uids = stored(session, folder, mail(1), mail(2))
    assert session.status(folder.name) == FolderStatus(folder.uidvalidity, Uid(max(uids) + 1), 2)


def test_statuses_counts_many_folders_and_reports_a_missing_one_as_unusable(bench: Bench) -> None:
    session = bench.open()
    names = ["Box", "Entwürfe", "R&D", 'a "quoted" name', "star * star"]
    folders = [new_folder(session, name) for name in names if bench.allows_name(name)]
    for number, folder in enumerate(folders):
        stored(session, folder, *(mail(n) for n in range(number + 1)))
    missing = session.hierarchy().prefix + "Missing"
    # Courier counts the seconds in the UIDVALIDITY of an empty INBOX until it is opened.
    session.open_for_appending("INBOX")
    session.uids(folders[0])  # one of them is open
    names = [folders[0].name, missing, *(folder.name for folder in folders[1:]), "INBOX"]
    statuses = session.statuses(names)
    assert list(statuses) == names
    refused = statuses[missing]
    assert isinstance(refused, FolderUnusable)
    assert "Missing" in str(refused)
    for name in names:
        if name != missing:
            assert statuses[name] == session.status(name)
    assert session.statuses([]) == {}
    stored(session, folders[1], mail(9))  # the session remains usable
    assert session.statuses([folders[1].name])[folders[1].name] == session.status(folders[1].name)


def test_a_missing_folder_is_unusable(bench: Bench) -> None:
    session = bench.open()
    missing = session.hierarchy().prefix + "Missing"
    ref = FolderRef(missing, UidValidity(1))
    for use in (
        lambda: session.status(missing),
        lambda: session.uids(ref),
        lambda: list(session.messages(ref, UidSet.of([1]))),
        lambda: session.append(ref, [outgoing(mail(1))]),
    ):
        with pytest.raises(FolderUnusable) as caught:
            use()
        assert "Missing" in str(caught.value)
        assert caught.value.side is Side.DESTINATION


def test_a_recreated_folder_is_detected(bench: Bench) -> None:
    session = bench.open()
    old = new_folder(session)
    stored(session, old, mail(1))
    assert len(whole(session, old)) == 1
    bench.delete(old.name)
    new = new_folder(bench.open())
    assert new != old
    with pytest.raises(FolderChanged):  # although this session had it open
        session.uids(old)
    session = bench.open()
    for use in (
        lambda: session.uids(old),
        lambda: list(session.sizes(old, UidSet.of([1]))),
        lambda: list(session.headers(old, UidSet.of([1]))),
        lambda: list(session.messages(old, UidSet.of([1]))),
        lambda: session.append(old, [outgoing(mail(1))]),
    ):
        with pytest.raises(FolderChanged):
            use()
    assert session.status(new.name).messages == 0


# --- Messages ------------------------------------------------------------------------------------------


def test_an_empty_folder_holds_nothing(bench: Bench) -> None:
    session = bench.open()
    folder = new_folder(session)
    assert session.uids(folder) == UidSet()
    assert list(session.messages(folder, UidSet())) == []
    assert session.append(folder, []) == []


def test_uids_have_gaps_where_messages_were_removed(bench: Bench) -> None:
    session = bench.open()
    folder = new_folder(session)
    uids = stored(session, folder, *(mail(n) for n in range(6)))
    bench.expunge(folder.name, UidSet.of([uids[1], uids[4]]))
    left = [uids[0], uids[2], uids[3], uids[5]]
    assert list(session.uids(folder)) == left
    assert list(session.uids(folder, Uid(uids[1]))) == left[1:]
    # n:* always names the last message in IMAP, even where there is nothing at or above n.
    assert session.uids(folder, Uid(uids[5] + 1)) == UidSet()


def test_several_folders_are_listed_together_but_for_those_that_are_others_now(bench: Bench) -> None:
    session = bench.open()
    old, *folders = [new_folder(session, name) for name in ("Old", "One", "Two", "Empty")]
    missing = replace(old, name="Missing")
    for number, folder in enumerate(folders[:2], start=1):
        stored(session, folder, *(mail(n) for n in range(number)))
    bench.delete(old.name)
    new_folder(bench.open(), old.name)
    for reader in (session, bench.open_source()):
        listed = reader.uids_of([*folders, missing, old])
        if not isinstance(reader, ImapReader) or reader.has_capability("ESEARCH"):
            assert [len(listed[folder]) for folder in folders] == [1, 2, 0]
        assert all(reader.uids(folder) == uids for folder, uids in listed.items() if folder != old)
        assert not listed.get(old), "an empty source folder may be numbered anew each time"
        assert reader.uids_of([]) == {}
    stored(session, folders[0], mail(9))
    assert len(session.uids_of(folders).get(folders[0], (1, 2))) == 2, "as it is now"


def test_several_folders_are_looked_at_together_and_then_appended_to(bench: Bench) -> None:
    """The last one is open at the server then: Courier refuses an APPEND into the folder that is examined,
    and GNU mailutils loses messages appended into the selected one."""
    session = bench.open()
    old, *folders = [new_folder(session, name) for name in ("Old", "One", "Two", "Three")]
    missing = replace(old, name="Missing")
    stored(session, folders[0], mail(1), mail(2))
    names = [folders[0].name, missing.name, *(folder.name for folder in folders[1:])]
    opened = session.open_each_for_appending(names)
    assert list(opened) in ([folder.name for folder in folders], [])  # Courier tells no UIDNEXT
    for name, (status, rule) in opened.items():
        assert (status, rule) == bench.open().open_for_appending(name)
    for folder in reversed(folders):
        assert session.append(folder, [outgoing(mail(9))])
    assert session.open_each_for_appending([]) == {}
    for reader in (bench.open(), bench.open_source()):
        listed = reader.sizes_of([*folders, missing])
        assert [len(sizes) for sizes in listed.values()] in ([3, 1, 1], [])  # Yahoo limits the answer
        for folder, sizes in listed.items():
            assert list(sizes) == list(reader.sizes(folder, reader.uids(folder)))
        assert reader.sizes_of([]) == {}


def test_vanished_messages_are_left_out(bench: Bench) -> None:
    writer, session = bench.open(), bench.open_source()
    folder = new_folder(writer)
    uids = stored(writer, folder, *(mail(n) for n in range(6)))
    requested = session.uids(folder)
    bench.expunge(folder.name, UidSet.of(uids[2:5]))
    left = [uids[0], uids[1], uids[5]]
    # A server may keep showing them to sessions that have the folder open (RFC 2180 section 4.1).
    assert set(left) <= set(whole(session, folder, requested)) <= set(uids)
    session = bench.open_source()
    assert sorted(whole(session, folder, requested)) == left
    assert [uid for uid, _ in session.sizes(folder, requested)] == left
    assert sorted(header.uid for header in session.headers(folder, requested)) == left


BODIES = {
    "plain": mail(1, b"hello"),
    "8-bit": mail(1, bytes(range(128, 256))),
    "no final line end": b"Subject: x\r\n\r\nno end",
    "no header": b"\r\njust text\r\n",
    "looks like the protocol": mail(1, b")\r\n* 1 EXISTS\r\nM1 OK {5}\r\n* BYE\r\n"),
    "long lines": mail(1, b"x" * 100_000),
    "5 MB": mail(1, b"0123456789abcdef\r\n" * 300_000),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=list(BODIES))
def test_message_bytes_round_trip(bench: Bench, body: bytes) -> None:
    session = bench.open()
    folder = new_folder(session)
    (uid,) = stored(session, folder, body)
    assert whole_body(whole(session, folder)[uid].body) == body
    assert list(session.sizes(folder, UidSet.of([uid]))) == [(uid, len(body))]


def test_the_beginning_of_a_message_is_read(bench: Bench) -> None:
    session = bench.open()
    folder = new_folder(session)
    long_mail = mail(2, (b"x" * 68 + b"\r\n") * 1500)
    short, long = stored(session, folder, mail(1), long_mail)
    # Some servers send the whole message instead.
    assert session.read_beginning(folder, long, 5000) in (5000, len(long_mail))
    assert session.read_beginning(folder, short, 5000) == len(mail(1))
    assert session.read_beginning(folder, Uid(long + 1), 5000) == 0
    assert list(whole(session, folder)) == [short, long]


@pytest.mark.parametrize(
    "flags", [(), ("\\Seen",), ("\\Answered", "\\Flagged", "\\Draft", "$Label1", "work")]
)
def test_flags_and_keywords_are_preserved(bench: Bench, flags: tuple[str, ...]) -> None:
    session = bench.open()
    folder = new_folder(session)
    status, rule = session.open_for_appending(folder.name)
    assert rule is not None
    assert status == session.status(folder.name)
    if not rule.any_keyword:
        flags = tuple(flag for flag in flags if flag.startswith("\\") or flag in rule.known)
    session.append(folder, [outgoing(mail(1), flags)])
    (message,) = whole(session, folder).values()
    assert set(message.flags) == set(flags)


@pytest.mark.parametrize(
    "internaldate", [" 1-Jan-1996 00:00:01 +0000", "29-Feb-2004 23:59:59 +0530", "31-Dec-2019 23:30:00 -1130"]
)
def test_the_date_is_preserved_to_the_second(bench: Bench, internaldate: str) -> None:
    session = bench.open()
    folder = new_folder(session)
    session.append(folder, [outgoing(mail(1), internaldate=internaldate)])
    (message,) = whole(session, folder).values()
    assert instant(message.internaldate) == instant(internaldate)


def test_identifying_headers_are_fetched_without_the_message(bench: Bench) -> None:
    session = bench.open()
    folder = new_folder(session)
    head = (
        b"Received: from a\r\nMessage-ID: <1@old.example>\r\nDate: Mon, 3 Feb 2003 00:00:00 +0000\r\n"
        b"From: ada@old.example\r\nSubject: one\r\n two\r\nX-Other: y\r\n\r\n"
    )
    uids = stored(session, folder, head + b"body\r\n", b"To: ada@old.example\r\n\r\nnone of them\r\n")
    headers = {entry.uid: entry for entry in session.headers(folder, UidSet.of(uids))}
    lines = headers[uids[0]].header.replace(b"\r\n ", b" ").split(b"\r\n")
    assert {b"Message-ID: <1@old.example>", b"Subject: one two", b"From: ada@old.example"} <= set(lines)
    assert headers[uids[0]].size_bytes == len(head) + 6
    assert b"Subject" not in headers[uids[1]].header


def test_reading_leaves_the_source_unchanged(bench: Bench) -> None:
    writer = bench.open()
    folder = new_folder(writer)
    stored(writer, folder, mail(1), mail(2))
    session = bench.open_source()
    for _ in range(2):
        messages = whole(session, folder)
        list(session.headers(folder, session.uids(folder)))
        assert [message.flags for message in messages.values()] == [(), ()]
    assert [message.flags for message in whole(bench.open(), folder).values()] == [(), ()]


def test_a_message_stream_may_be_abandoned(bench: Bench) -> None:
    session = bench.open()
    folder = new_folder(session)
    uids = stored(session, folder, *(mail(n, b"0123456789abcdef\r\n" * 1100) for n in range(30)))
    stream = session.messages(folder, UidSet.of(uids))
    assert isinstance(next(stream), Message)
    assert session.status(folder.name).messages == 30  # while the stream is open
    assert len(list(stream)) == 29
    stream = session.messages(folder, UidSet.of(uids))
    next(stream)
    assert isinstance(stream, Iterator)
    stream.close()  # type: ignore[attr-defined]
    assert len(whole(session, folder)) == 30


def test_a_hundred_messages_arrive_in_order(bench: Bench) -> None:
    session = bench.open()
    folder = new_folder(session)
    bodies = [mail(n, b"x" * (n * 97 % 6000)) for n in range(100)]
    flags = [("\\Seen",) if n % 3 else () for n in range(100)]
    results = session.append(
        folder, [outgoing(b, f, uid=n) for n, (b, f) in enumerate(zip(bodies, flags, strict=True))]
    )
    assert len(session.uids(folder)) == 100
    messages = sorted(whole(session, folder).values(), key=lambda message: message.uid)
    assert [message.body for message in messages] == bodies
    assert [message.flags for message in messages] == flags
    assert [r.uid for r in results if isinstance(r, Stored) and r.uid] in ([], [m.uid for m in messages])
    assert len(results) == 100


class _GeneratedBody:
    """A message that exists only in pieces, generated while they are read. Implements `Spooled`."""

    header = mail(1).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    digest = b"\0" * 16
    marks = 0
    _piece = b"0123456789abcdef0123456789abcdef0123456789abcde\r\n" * 2000

    def __init__(self, pieces: int) -> None:
        self._pieces = pieces

    def __len__(self) -> int:
        return len(self.header) + self._pieces * len(self._piece)

    def pieces(self) -> Iterator[bytes]:
        yield self.header
        for _ in range(self._pieces):
            yield bytes(bytearray(self._piece))  # a new object each time, as if read from a file


def test_only_pieces_of_a_large_message_are_in_memory_while_it_is_sent(bench: Bench) -> None:
    session = bench.open()
    folder, large = new_folder(session), _GeneratedBody(200)
    tracemalloc.start()
    try:
        (result,) = session.append(folder, [outgoing(b"")._replace(body=large)])
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(result, Stored)
    assert list(dict(session.sizes(folder, session.uids(folder))).values()) == [len(large)]
    assert peak_bytes < 2_000_000 < len(large) / 4


def test_a_large_message_is_spooled_and_copied(bench: Bench) -> None:
    session = bench.open()
    folder, other = new_folder(session), new_folder(session, "Other box")
    large = mail(1) + b"0123456789abcdef0123456789abcdef0123456789abcdef\r\n" * (SPOOLED_ABOVE_BYTES // 40)
    session.append(folder, [outgoing(mail(2)), outgoing(large)])
    bodies = {message.uid: message.body for message in whole(session, folder).values()}
    assert [len(body) for _, body in sorted(bodies.items())] == [len(mail(2)), len(large)]
    (spooled,) = (body for body in bodies.values() if len(body) == len(large))
    if not isinstance(session, MemoryWriter):
        assert not isinstance(spooled, bytes)
    session.append(other, [outgoing(mail(3)), outgoing(b"")._replace(body=spooled), outgoing(mail(4))])
    assert [digest(m.body) for _, m in sorted(whole(session, other).items())] == [
        digest(mail(3)),
        digest(large),
        digest(mail(4)),
    ]


def test_reads_are_allowed_between_appends_under_way(bench: Bench) -> None:
    session = bench.open()
    folder = new_folder(session)
    first = session.begin_append(folder, [outgoing(mail(1)), outgoing(mail(2))])
    second = session.begin_append(folder, [outgoing(mail(3)), outgoing(mail(4))])
    assert len(session.uids(folder)) == 4  # a query waits for the appends under way
    third = session.begin_append(folder, [outgoing(mail(5))])
    results = [result for began in (first, second, third) for result in began() or ()]
    assert [isinstance(result, Stored) for result in results] == [True] * 5
    assert sorted(whole_body(m.body) for m in whole(session, folder).values()) == sorted(
        map(mail, range(1, 6))
    )


def test_messages_can_be_appended_to_the_open_folder(bench: Bench) -> None:
    session = bench.open()
    folder = new_folder(session)
    for n in range(3):
        stored(session, folder, mail(n))
        assert len(whole(session, folder)) == n + 1


def test_closing_a_session_twice_is_allowed(bench: Bench) -> None:
    session = bench.open()
    session.close()
    session.close()


# --- Real servers only ----------------------------------------------------------------------------------


@pytest.fixture
def host_bench(new_host: Dovecot, make_user: MakeUser) -> Iterator[ImapBench]:
    made = ImapBench(make_user(new_host))
    yield made
    made.close()


@pytest.mark.parametrize("name", ["new-host", "without-extensions"])
def test_roles_come_from_the_attributes_of_the_listing(
    request: pytest.FixtureRequest, make_user: MakeUser, name: str
) -> None:
    host = (
        request.getfixturevalue("shaped_hosts")(name)
        if name in LACKING
        else request.getfixturevalue("new_host")
    )
    bench = ImapBench(make_user(host))
    session = bench.open()
    roles = {folder.name: folder.role for folder in session.folders()}
    assert roles == {
        "INBOX": FolderRole.INBOX,
        "Sent": FolderRole.SENT,
        "Drafts": FolderRole.DRAFTS,
        "Trash": FolderRole.TRASH,
        "Junk": FolderRole.JUNK,
        "Archive": FolderRole.ARCHIVE,
    }
    assert session.hierarchy() == Hierarchy("", "/")
    bench.close()


def test_the_prefix_is_inferred_without_the_namespace_extension(
    tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority, make_user: MakeUser
) -> None:
    options = DovecotOptions(separator=".", prefix="INBOX.", capability_minus=("NAMESPACE",))
    with dovecot(tmp_path_factory.mktemp("no-namespace"), options, ca=ca) as host:
        bench = ImapBench(make_user(host))
        assert bench.open().hierarchy() == Hierarchy("INBOX.", ".")
        bench.close()


def test_a_noselect_parent_is_listed_and_cannot_be_opened(host_bench: ImapBench) -> None:
    session = host_bench.open()
    session.create("Parent/Child")
    listed = {folder.name: folder.selectable for folder in session.folders()}
    assert listed["Parent/Child"]
    assert not listed["Parent"]
    with pytest.raises(FolderUnusable):
        session.status("Parent")
    session.create("Parent")
    assert session.status("Parent").messages == 0


def test_the_keyword_rule_is_read_from_the_folder_opened_for_appending(host_bench: ImapBench) -> None:
    session = host_bench.open()
    folder = new_folder(session)
    session.append(folder, [outgoing(mail(1), ["work"])])
    _, rule = session.open_for_appending(folder.name)
    assert rule is not None
    assert rule.any_keyword
    assert "work" in rule.known


@pytest.mark.parametrize("size_is_known", [True, False])
def test_an_unreadable_message_does_not_block_the_others(
    new_host: Dovecot, host_bench: ImapBench, size_is_known: bool
) -> None:
    session = host_bench.open_source()
    inbox = session.status("INBOX").ref("INBOX")
    box = new_host.mailbox_path(host_bench.user.account.login)
    if size_is_known:
        stored(host_bench.open(), inbox, *(mail(n) for n in range(8)))
    else:  # without the size in the file's name, Dovecot has to read the message to find it
        for n in range(8):
            (box / "new" / f"160000000{n}.M{n}.localhost").write_bytes(mail(n))
    files = sorted(file for part in ("new", "cur") for file in (box / part).iterdir())
    for n, file in enumerate(files):
        if os.geteuid() == 0:
            shutil.chown(file, MAIL_USER)
        file.chmod(0 if n == 3 else 0o600)
    uids = session.uids(inbox)
    sizes = dict(session.sizes(inbox, uids))
    assert list(sizes) == list(uids)
    results = list(session.messages(inbox, uids))
    assert len(results) == 8
    messages = [result for result in results if isinstance(result, Message)]
    assert {result.uid: len(result.body) for result in messages}.items() <= sizes.items()
    (refused,) = (result for result in results if isinstance(result, NotHandedOut))
    assert refused.reason == Text("not_handed_out.ends_connection")
    assert len(list(session.headers(inbox, uids))) == 8


@pytest.mark.parametrize("name", ["new-host", *LACKING])
def test_a_refused_message_does_not_block_the_others(
    request: pytest.FixtureRequest, make_user: MakeUser, name: str
) -> None:
    host = (
        request.getfixturevalue("shaped_hosts")(name)
        if name in LACKING
        else request.getfixturevalue("new_host")
    )
    bench = ImapBench(make_user(host))
    session = bench.open()
    folder = new_folder(session)
    bodies = [mail(n) if n != 6 else b"" for n in range(13)]  # Dovecot stores no message of zero bytes
    results = session.append(folder, [outgoing(body) for body in bodies])
    assert [isinstance(result, Rejected) for result in results] == [not body for body in bodies]
    assert [m.body for m in whole(session, folder).values()] == [body for body in bodies if body]
    refused = results[6]
    assert isinstance(refused, Rejected)
    assert refused.reason == Text("not_taken", words="Can't save a zero byte message")
    bench.close()


@pytest.mark.parametrize("name", ["new-host", *LACKING])
def test_a_refused_append_stores_nothing_or_reports_each_outcome(
    request: pytest.FixtureRequest, make_user: MakeUser, name: str
) -> None:
    lacking = name in LACKING
    host = request.getfixturevalue("shaped_hosts")(name) if lacking else request.getfixturevalue("new_host")
    bench = ImapBench(make_user(host))
    session = bench.open()
    folder = new_folder(session)
    bodies = [mail(1), b"", mail(2)]  # Dovecot stores no message of zero bytes
    results = session.begin_append(folder, [outgoing(body) for body in bodies])()
    stored_bodies = [m.body for m in whole(session, folder).values()]
    if results is None:
        assert not stored_bodies
    else:
        assert [isinstance(result, Rejected) for result in results] == [not body for body in bodies]
        assert stored_bodies == [mail(1), mail(2)]
    assert (results is None) == (name == "new-host")
    bench.close()


def test_a_message_with_a_refused_keyword_is_still_stored(host_bench: ImapBench) -> None:
    session = host_bench.open()
    folder = new_folder(session)
    results = session.append(folder, [outgoing(mail(1), ["\\Seen", "odd]"]), outgoing(mail(2), ["fine"])])
    messages = whole(session, folder)
    flags = [messages[r.uid].flags for r in results if isinstance(r, Stored) and r.uid is not None]
    assert flags == [("\\Seen",), ("fine",)]


def test_flags_that_would_inject_a_command_are_refused(host_bench: ImapBench) -> None:
    session = host_bench.open()
    folder = new_folder(session)
    results = session.append(folder, [outgoing(mail(1), ["x)\r\nM9 DELETE INBOX"]), outgoing(mail(2))])
    assert isinstance(results[0], Rejected)
    assert isinstance(results[1], Stored)


@pytest.mark.parametrize("lacking", [(), LACKING["without-extensions"]], ids=["all", "without-extensions"])
def test_a_full_mailbox_and_a_message_too_large_are_distinguished(
    tmp_path: Path, ca: CertificateAuthority, make_user: MakeUser, lacking: tuple[str, ...]
) -> None:
    options = DovecotOptions(quota_bytes=100_000, max_mail_bytes=40_000, capability_minus=lacking)
    with dovecot(tmp_path, options, ca=ca) as host:
        bench = ImapBench(make_user(host))
        session = bench.open()
        folder = new_folder(session)
        results = session.append(
            folder, [outgoing(mail(1)), outgoing(mail(2, b"x" * 50_000)), outgoing(mail(3))]
        )
        assert [type(result) for result in results] == [Stored, Rejected, Stored]
        with pytest.raises(QuotaExceeded) as caught:
            session.append(folder, [outgoing(mail(n, b"x" * 30_000)) for n in range(6)])
        assert caught.value.server_text == "[OVERQUOTA] Quota exceeded (mailbox for user is full)"
        assert (
            session.status(folder.name).messages == 5
        )  # messages that fit are stored, and the session stays usable
        bench.close()


# --- Sizes ---------------------------------------------------------------------------------------------


def test_outlines_hold_size_and_date(bench: Bench) -> None:
    writer, session = bench.open(), bench.open_source()
    folder = new_folder(writer)
    dates = [DATE, "31-Dec-1999 23:59:59 +0100", "01-Jul-2020 12:00:00 -0700"]
    writer.append(folder, [outgoing(mail(n, b"x" * n), (), date) for n, date in enumerate(dates)])
    uids = session.uids(folder)
    outlines = {outline.uid: outline for outline in session.outlines(folder, uids)}
    assert sorted(outlines) == list(uids)
    assert [outline.size_bytes for _, outline in sorted(outlines.items())] == [
        len(mail(n, b"x" * n)) for n in range(3)
    ]
    assert [instant(outline.internaldate) for _, outline in sorted(outlines.items())] == [
        instant(d) for d in dates
    ]
    bench.expunge(folder.name, UidSet.of([min(uids)]))
    assert {outline.uid for outline in bench.open_source().outlines(folder, uids)} == set(uids) - {min(uids)}


def test_folder_sizes_are_exact_where_reported(bench: Bench) -> None:
    writer, session = bench.open(), bench.open_source()
    full, empty = new_folder(writer, "Entwürfe"), new_folder(writer, "Empty")
    bodies = [mail(n, b"x" * 1000 * n) for n in range(5)]
    stored(writer, full, *bodies)
    list(session.outlines(full, session.uids(full)))  # opens the folder
    missing = session.hierarchy().prefix + "Missing"
    sizes = session.folder_bytes([full.name, missing, empty.name])
    assert sizes in ({}, {full.name: sum(map(len, bodies)), empty.name: 0})
    assert session.status(full.name).messages == 5


def test_only_gmail_reports_labels(bench: Bench, request: pytest.FixtureRequest) -> None:
    assert bench.open_source().has_labels() == ("[gmail]" in request.node.name)


def test_a_server_without_quotas_reports_none(bench: Bench) -> None:
    quota = bench.open().quota()
    assert quota is None or quota.limit_bytes is None


def test_the_quota_is_reported_in_bytes(
    tmp_path: Path, ca: CertificateAuthority, make_user: MakeUser
) -> None:
    with dovecot(tmp_path, DovecotOptions(quota_bytes=1_024_000), ca=ca) as host:
        bench = ImapBench(make_user(host))
        session = bench.open()
        stored(session, new_folder(session), mail(1, b"x" * 300_000))
        quota = session.quota()
        assert quota is not None
        assert quota.limit_bytes == 1_024_000
        assert 300_000 <= quota.used_bytes <= 302_000
        bench.close()


# --- Removing ------------------------------------------------------------------------------------------


def test_exactly_the_named_messages_are_removed(bench: Bench) -> None:
    session = bench.open()
    folder = new_folder(session)
    uids = stored(session, folder, *(mail(n) for n in range(6)))
    if not session.supports_uid_expunge():
        with pytest.raises(FolderUnusable):
            session.remove(folder, UidSet.of(uids[:1]))
        assert list(session.uids(folder)) == uids
        return
    bench.mark_deleted(folder.name, UidSet.of(uids[:2]))  # by another client, not expunged yet
    session.remove(folder, UidSet.of([uids[1], uids[3], uids[5] + 100]))
    left = [uids[0], uids[2], uids[4], uids[5]]
    assert list(session.uids(folder)) == left
    session.remove(folder, UidSet.of([uids[1], uids[3]]))  # once more
    assert list(bench.open().uids(folder)) == left
    assert "\\Deleted" in whole(session, folder)[uids[0]].flags
    assert len(session.append(folder, [outgoing(mail(9))])) == 1


def test_messages_changed_since_are_not_removed(bench: Bench) -> None:
    session = bench.open()
    folder = new_folder(session)
    uids = stored(session, folder, *(mail(n) for n in range(5)))
    for _ in range(2):  # Dovecot tracks modseqs only after the first query
        statuses = session.listing(modseqs=True).statuses
    status = statuses[folder.name]
    assert isinstance(status, FolderStatus)
    if not (session.supports_uid_expunge() and status.highest_modseq):
        return
    other = bench.open()
    other.change_flags(folder, UidSet.of([uids[1]]), ["\\Seen"], [])
    removed = UidSet.of([uids[0], uids[1], uids[2]])
    assert session.remove(folder, removed, unchanged_since=status.highest_modseq) == UidSet.of([uids[1]])
    messages = whole(bench.open(), folder)
    assert sorted(messages) == [uids[1], uids[3], uids[4]]
    assert set(messages[uids[1]].flags) == {"\\Seen"}
    alone = UidSet.of([uids[1]])  # the whole request
    assert session.remove(folder, alone, unchanged_since=status.highest_modseq) == alone
    assert session.remove(folder, alone) == UidSet()
    assert list(bench.open().uids(folder)) == [uids[3], uids[4]]


def test_nothing_is_removed_from_a_recreated_folder(bench: Bench) -> None:
    session = bench.open()
    old = new_folder(session)
    if not session.supports_uid_expunge():
        return
    stored(session, old, mail(1))
    bench.delete(old.name)
    new = new_folder(bench.open())
    [uid] = stored(bench.open(), new, mail(2))
    with pytest.raises(FolderChanged):
        session.remove(old, UidSet.of([uid]))
    with pytest.raises(FolderChanged):
        session.remove_folder(old)
    assert list(bench.open().uids(new)) == [uid]


def test_a_folder_is_removed_only_when_it_is_empty(bench: Bench) -> None:
    session = bench.open()
    delimiter = session.hierarchy().delimiter
    parent = new_folder(session, "Größe")
    child = new_folder(session, f"Größe{delimiter}unter & über")
    session.subscribe(child.name)
    stored(session, child, mail(1))
    for folder in (parent, child):
        with pytest.raises(FolderUnusable):
            session.remove_folder(folder)
    bench.expunge(child.name, session.uids(child))
    session.remove_folder(child)
    session.remove_folder(parent)
    assert not {parent.name, child.name} & {folder.name for folder in bench.open().folders()}
    assert new_folder(session, "Größe").name == parent.name


# --- Network faults -------------------------------------------------------------------------------------


@pytest.fixture
def proxied(new_host: Dovecot, make_user: MakeUser) -> Iterator[tuple[ImapBench, CuttingProxy]]:
    with cutting_proxy(new_host.imaps) as proxy:
        made = ImapBench(make_user(new_host), proxy.endpoint)
        yield made, proxy
        made.close()


def test_a_connection_cut_while_reading_is_resumed(proxied: tuple[ImapBench, CuttingProxy]) -> None:
    bench, proxy = proxied
    writer, session = bench.open(), bench.open_source()
    folder = new_folder(writer)
    bodies = [mail(n, b"x" * 20_000) for n in range(40)]
    stored(writer, folder, *bodies)
    uids = session.uids(folder)
    before = proxy.connections
    proxy.cut_after(to_client=250_000, times=3)
    messages = [message for message in session.messages(folder, uids) if isinstance(message, Message)]
    assert [message.body for message in messages] == bodies
    assert proxy.connections == before + 3
    proxy.cut_after(to_client=300)
    assert len(list(session.headers(folder, uids))) == 40
    proxy.cut()
    assert session.status(folder.name).messages == 40


def test_reading_fails_when_it_makes_no_progress(
    proxied: tuple[ImapBench, CuttingProxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "pause", lambda _losses: None)
    bench, proxy = proxied
    writer, session = bench.open(), bench.open_source()
    folder = new_folder(writer)
    stored(writer, folder, *(mail(n, b"x" * 200_000) for n in range(6)))
    uids = session.uids(folder)
    proxy.cut_after(to_client=20_000, times=100)  # enough to log in, never enough for a message
    with pytest.raises(ConnectionLost) as caught:
        list(session.messages(folder, uids))
    assert caught.value.text == Text("connection_lost", host="localhost")
    assert caught.value.side is Side.SOURCE
    proxy.cut_after()
    assert len(whole(session, folder)) == 6


def test_an_append_cut_before_it_is_complete_is_not_repeated(proxied: tuple[ImapBench, CuttingProxy]) -> None:
    bench, proxy = proxied
    session = bench.open()
    folder = new_folder(session)
    proxy.cut_after(to_server=100_000)
    connections = proxy.connections
    batch = [outgoing(mail(n, b"x" * 20_000)) for n in range(10)]
    for _ in range(2):  # refused until the session has checked the folder
        with pytest.raises(ConnectionLost):
            session.begin_append(folder, batch)()
    assert proxy.connections == connections
    assert session.status(folder.name).messages == 0
    assert len(session.append(folder, batch)) == 10
    assert session.status(folder.name).messages == 10


def test_an_append_whose_response_is_lost_is_not_repeated(proxied: tuple[ImapBench, CuttingProxy]) -> None:
    bench, proxy = proxied
    session = bench.open()
    folder = new_folder(session)
    proxy.cut_after(to_client=1)
    with pytest.raises(ConnectionLost) as caught:
        session.begin_append(folder, [outgoing(mail(n)) for n in range(10)])()
    assert caught.value.side is Side.DESTINATION
    assert session.status(folder.name).messages == 10  # everything was stored: check before repeating


def test_a_session_reconnects_to_a_restarted_server(
    tmp_path: Path, ca: CertificateAuthority, make_user: MakeUser
) -> None:
    with dovecot(tmp_path, DovecotOptions(), ca=ca) as host:
        bench = ImapBench(make_user(host))
        session = bench.open()
        folder = new_folder(session)
        stored(session, folder, mail(1))
        host.kill()
        with pytest.raises(ConnectionLost):
            session.append(folder, [outgoing(mail(2))])
        with pytest.raises(MailError) as caught:
            session.status(folder.name)
        assert caught.value.code == "server_unavailable"
        host.restart()
        assert session.status(folder.name).messages == 1
        bench.close()
