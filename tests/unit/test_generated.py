"""The generated mailboxes of the memory benchmark. The destination must detect wrong copies."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks import generated, memory_results
from benchmarks.results import Taken
from importer.adapters.imap.factory import ImapSessions
from importer.adapters.imap.reader import ImapReader
from importer.adapters.imap.writer import ImapWriter
from importer.compact.uid_set import Uid, UidSet
from importer.domain.mailbox_content import FolderStatus, Message, Outgoing, Stored
from importer.domain.messages.message_body import whole
from importer.domain.model import Account
from providers.endpoint import Endpoint, Secret, Security

Opened = Callable[[generated.Mailbox], ImapWriter]


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Serve a mailbox and open it as a destination."""
    listeners: list[socket.socket] = []
    sessions: list[ImapWriter] = []

    def open_(mailbox: generated.Mailbox) -> ImapWriter:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=generated.serve, args=(listener, mailbox), daemon=True).start()
        endpoint = Endpoint("127.0.0.1", listener.getsockname()[1], Security.PLAINTEXT)
        account = Account("ada@old.example", "ada", endpoint)
        sessions.append(ImapSessions().open_destination(account, Secret("password")))
        return sessions[-1]

    yield open_
    for session in sessions:
        session.close()
    for listener in listeners:
        listener.close()


def fetched(session: ImapReader, name: str, status: FolderStatus) -> list[Message]:
    results = session.messages(status.ref(name), UidSet.from_ranges([(1, status.uidnext)]))
    return [message for message in results if isinstance(message, Message)]


def statuses(session: ImapReader) -> dict[str, FolderStatus]:
    all_statuses = session.listing().statuses
    return {name: status for name, status in all_statuses.items() if isinstance(status, FolderStatus)}


def test_a_generated_source_is_consistent(opened: Opened) -> None:
    source = opened(generated.Mailbox(folders=2, messages=25, gap=4))
    folders = statuses(source)
    assert {name: status.messages for name, status in folders.items()} == {"INBOX": 13, "Folder 1": 12}
    for name, status in folders.items():
        folder = status.ref(name)
        uids = source.uids(folder)
        assert len(uids) == status.messages
        assert not any(uid % 4 == 0 for uid in uids)
        assert source.uids(folder, Uid(7)) == uids.at_or_above(7)
        messages = fetched(source, name, status)
        assert UidSet.of(message.uid for message in messages) == uids
        assert list(source.sizes(folder, uids)) == [(message.uid, len(message.body)) for message in messages]
        assert all(
            whole(message.body).startswith(lines.header)
            for message, lines in zip(messages, source.headers(folder, uids), strict=True)
        )
        assert all(1000 < len(message.body) < 3000 for message in messages)
        assert len({message.body for message in messages}) == len(messages)


def test_a_generated_destination_detects_wrong_copies(opened: Opened) -> None:
    source = opened(generated.Mailbox(folders=1, messages=3, gap=0))
    mailbox = generated.Mailbox(folders=0, messages=0, gap=0)
    destination = opened(mailbox)
    destination.create("Folder 1")
    messages = fetched(source, "INBOX", statuses(source)["INBOX"])
    outgoing = [
        Outgoing(message.uid, message.flags, message.internaldate, message.body) for message in messages
    ]
    inbox, _ = destination.open_for_appending("INBOX")
    assert destination.append(inbox.ref("INBOX"), outgoing) == [Stored(Uid(uid)) for uid in (1, 2, 3)]
    assert mailbox.counts() == {"messages": 3, "right": 3, "wrong": 0}
    destination.append(inbox.ref("INBOX"), outgoing[1:2])  # a duplicate
    assert mailbox.counts()["wrong"] == 1
    other_folder, _ = destination.open_for_appending("Folder 1")
    destination.append(other_folder.ref("Folder 1"), outgoing[2:3])  # in the wrong folder
    assert mailbox.counts()["wrong"] == 2
    changed = Outgoing(Uid(4), (), "", generated.message(0, 4)[:-4] + b"!.\r\n")
    destination.append(inbox.ref("INBOX"), [changed])
    assert mailbox.counts() == {"messages": 6, "right": 3, "wrong": 3}
    assert statuses(destination)["INBOX"].messages == 5


def test_results_are_saved_loaded_and_tabulated(tmp_path: Path) -> None:
    work = memory_results.Work(1000, 1, gap=10)
    empty, first, second = Taken(1.0, 1.0, 80 * 10**6), Taken(3.0, 1.5, 99 * 10**6), Taken(1.0, 0.9, 10**8)
    for wrong in (3, 0):
        memory_results.Copied(work, {"cores": "2"}, empty, first, second, wrong).save(tmp_path)
    (result,) = memory_results.kept(tmp_path)
    assert result == memory_results.Copied(work, {"cores": "2"}, empty, first, second, 0)
    row = memory_results.table([result]).splitlines()[2]
    assert [cell.strip() for cell in row.split("|")[2:4]] == ["99", "500"]  # 0.5 s over 1,000 messages
    assert "3 WRONG" in memory_results.table([memory_results.Copied(work, {}, empty, first, second, 3)])
