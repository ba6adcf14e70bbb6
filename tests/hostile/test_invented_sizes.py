"""A source whose messages are far larger than it states: everything is copied, and little is held at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from importer.compact.uid_set import Uid, UidSet
from importer.domain.mailbox_content import FolderRef, Message, NotHandedOut
from importer.domain.model import Account, State
from importer.engine import batch_fetch
from providers.errors import Side
from providers.grants import Credential
from tests.fakes.mailbox import MemoryReader, MemorySessions
from tests.unit.test_service import DATE, SOURCE, Office

MESSAGES = 40
SIZE_BYTES = 20_000
MOST_BYTES = 100_000


class LyingSession(MemoryReader):
    """States 10 bytes for each message. `read_bytes` is what each call of `messages` has handed out."""

    read_bytes: list[int]

    def sizes(self, folder: FolderRef, uids: UidSet) -> Iterator[tuple[Uid, int]]:
        return ((uid, 10) for uid, _ in super().sizes(folder, uids))

    def messages(self, folder: FolderRef, uids: UidSet) -> Iterator[Message | NotHandedOut]:
        self.read_bytes.append(0)
        for message in super().messages(folder, uids):
            self.read_bytes[-1] += len(message.body) if isinstance(message, Message) else 0
            yield message


class LyingSessions(MemorySessions):
    def __init__(self, office: Office) -> None:
        super().__init__(office.sessions.mailboxes)
        self.read_bytes: list[int] = []

    def open_source(self, account: Account, credential: Credential, *rest: Any) -> MemoryReader:
        if account.key != SOURCE.key:
            return super().open_source(account, credential)
        session = LyingSession(self.admit(account, credential, Side.SOURCE))
        session.read_bytes = self.read_bytes
        return session


def test_messages_larger_than_stated_are_read_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_fetch, "MAX_UNSTATED_BYTES", MOST_BYTES)
    office = Office()
    for n in range(MESSAGES):
        office.old.folders["INBOX"].add((), DATE, b"Subject: large %d\r\n\r\n" % n + b"x" * SIZE_BYTES)
    lying = LyingSessions(office)
    office.sessions = lying  # type: ignore[assignment]
    _, import_id = office.submit()
    done = office.work(import_id, sessions=lying)
    assert done.state is State.COMPLETE
    assert office.new.message_count == office.old.message_count
    assert max(lying.read_bytes) <= MOST_BYTES + 2 * SIZE_BYTES
