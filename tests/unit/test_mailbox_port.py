"""A source cannot be changed: what reads mailboxes has no method that writes."""

from __future__ import annotations

import pytest

from importer.adapters.imap.gmail import GmailSource
from importer.adapters.imap.reader import ImapReader
from importer.adapters.imap.writer import ImapWriter
from importer.ports.mailbox import MailboxReader, MailboxWriter
from tests.fakes.mailbox import MemoryReader, MemoryWriter

READERS: list[type[MailboxReader]] = [ImapReader, GmailSource, MemoryReader]
WRITERS: list[type[MailboxWriter]] = [ImapWriter, MemoryWriter]


def methods(port: type) -> set[str]:
    return {name for name in vars(port) if not name.startswith("_")}


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_has_no_method_that_writes(reader: type[MailboxReader]) -> None:
    assert methods(MailboxReader) <= set(dir(reader))
    assert not methods(MailboxWriter) & set(dir(reader))


@pytest.mark.parametrize("writer", WRITERS)
def test_a_writer_reads_and_writes(writer: type[MailboxWriter]) -> None:
    assert methods(MailboxReader) | methods(MailboxWriter) <= set(dir(writer))
