"""A source cannot be changed: what reads mailboxes has no method that writes."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

from docs.generate import errors
from importer.adapters.imap.gmail import GmailSource
from importer.adapters.imap.reader import ImapReader
from importer.adapters.imap.writer import ImapWriter
from importer.ports.mailbox import MailboxReader, MailboxWriter
from importer.ports.mailbox_errors import FolderChanged, FolderLeftOut, FolderUnusable
from providers.errors import ErrorScope
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


def test_the_gmail_view_forwards_no_method_as_it_is() -> None:
    """It shares connection, hierarchy and quota with the reader as `ImapSession`."""
    source = Path(inspect.getfile(GmailSource)).read_text(encoding="utf-8")
    [view] = [node for node in ast.parse(source).body if getattr(node, "name", "") == GmailSource.__name__]
    assert isinstance(view, ast.ClassDef)
    for method in view.body:
        if isinstance(method, ast.FunctionDef):
            given = ", ".join(arg.arg for arg in method.args.args[1:])
            body = ast.unparse(method.body[-1]).removeprefix("return ")
            forwards = {f"self._session.{method.name}", f"self._session.{method.name}({given})"}
            assert len(method.body) > 1 or body not in forwards, method.name


def test_the_errors_of_folders_are_with_the_port() -> None:
    """Code that raises or handles one needs the port anyway; a provider does neither."""
    of_folders = {error for error in errors.errors().values() if error.scope is ErrorScope.FOLDER}
    assert of_folders == {FolderUnusable, FolderLeftOut, FolderChanged}
    assert {error.__module__ for error in of_folders} == {"importer.ports.mailbox_errors"}
