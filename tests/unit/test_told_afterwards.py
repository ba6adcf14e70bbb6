"""Verification and the search for a message, after imports that did not simply copy everything."""

from __future__ import annotations

from dataclasses import replace

import pytest

from importer.compact.uid_set import Uid, UidSet
from importer.domain.folder_mapping.folder_patterns import read_patterns
from importer.domain.mailbox_content import FolderRef, Message
from importer.domain.messages.message_body import whole
from importer.domain.model import Account, ImportId
from importer.domain.receipts.folder_tally import RefusalCode
from importer.domain.reporting.message_trace import Fate
from importer.domain.reporting.verification import ComparedAs, Verification
from importer.i18n.message_trace_texts import trace_text
from importer.i18n.translations import texts
from importer.i18n.verification_texts import count_texts
from importer.ports.mailbox import LabelView, MailboxReader
from importer.ports.work_limit import WorkLimit
from importer.service.access.sealed_grants import Credentials
from importer.service.imports import verify_import
from importer.service.imports.trace_message import trace_message
from importer.service.imports.undo_import import undo
from importer.service.imports.verify_import import VerifyRefused, verify
from providers.endpoint import Secret
from providers.errors import Side
from providers.grants import Credential
from providers.text import Text
from tests.unit.test_service import DATE, Office

PASSWORD = Secret("secret")


def message(name: str) -> bytes:
    return f"Message-ID: <{name}@old.example>\r\nSubject: {name}\r\n\r\ntext\r\n".encode()


@pytest.fixture
def office() -> Office:
    office = Office()
    office.old.folders["INBOX"].messages.clear()
    for name in ("a", "b", "c"):
        office.old.folders["INBOX"].add((), DATE, message(name))
    return office


def verified(office: Office, id_: ImportId) -> Verification:
    return verify(office.deps, office.import_(id_), Credentials(PASSWORD, PASSWORD))


def fate(office: Office, id_: ImportId, name: str) -> Fate:
    [trace] = trace_message(office.deps, office.import_(id_), f"<{name}@old.example>", Side.SOURCE, PASSWORD)
    assert trace_text(texts("de"), trace)
    return trace.fate


def test_messages_of_an_undone_import_are_missing_and_not_new(office: Office) -> None:
    _, id_ = office.submit()
    undo(office.deps, office.work(id_), PASSWORD)
    result = verified(office, id_)
    assert (result.counts, result.agrees) == ({ComparedAs.NOT_COPIED: 3}, False)
    assert fate(office, id_, "a") is Fate.UNDONE


def test_nothing_agrees_before_a_folder_was_copied(office: Office) -> None:
    _, id_ = office.submit()
    with pytest.raises(VerifyRefused) as refused:
        verified(office, id_)
    assert refused.value.text == Text("verify_not_begun")


def test_a_folder_that_the_import_could_not_open_is_compared_once_it_opens(office: Office) -> None:
    office.old.create("Work").add((), DATE, message("work"))
    office.old.closed.add("Work")
    _, id_ = office.submit()
    office.work(id_)
    result = verified(office, id_)
    assert (result.unread_folders, result.agrees) == (1, False)
    assert "1 folder of the old mailbox could not be opened" in count_texts(texts("en"), result)[-1]
    office.old.closed.clear()
    result = verified(office, id_)
    assert (result.listed, result.unread_folders, result.agrees) == (4, 0, False)
    assert result.counts == {ComparedAs.SAME: 3, ComparedAs.FAILED: 1}
    assert fate(office, id_, "work") is Fate.FAILED


def test_a_copy_is_missed_although_the_old_folder_was_numbered_anew(office: Office) -> None:
    _, id_ = office.submit()
    office.work(id_)
    before = office.old.folders.pop("INBOX")
    for one in before.messages.values():
        office.old.create("INBOX").add(one.flags, one.internaldate, whole(one.body))
    office.old.folders["INBOX"].add((), DATE, message("new"))
    del office.new.folders["INBOX"].messages[Uid(2)]
    result = verified(office, id_)
    assert result.counts == {ComparedAs.SAME: 2, ComparedAs.REMOVED: 1, ComparedAs.NEW: 1}
    assert not result.agrees


class Loses(dict[Uid, Message]):
    """The messages of a folder that loses one."""

    def __setitem__(self, uid: Uid, one: Message) -> None:
        if b"<a@" not in whole(one.body):
            super().__setitem__(uid, one)


def test_a_copy_that_was_never_seen_failed_as_its_report_says(office: Office) -> None:
    office.new.gives_uids = False
    office.new.folders["INBOX"].messages = Loses()
    office.work(office.submit()[1])
    _, id_ = office.submit()
    import_ = office.work(id_)
    [refusal] = office.store.refusals(import_.id)
    assert refusal.code is RefusalCode.NEVER_SEEN
    assert verified(office, id_).counts == {ComparedAs.SAME: 2, ComparedAs.FAILED: 1}
    assert fate(office, id_, "a") is Fate.FAILED


def test_flags_of_a_duplicate_are_not_those_of_the_copy(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = office.old.folders["INBOX"].add(("\\Seen",), DATE, message("a"))
    _, id_ = office.submit()
    office.work(id_)
    monkeypatch.setattr(verify_import, "chosen", lambda _listed, _sample: [UidSet.of((again,))])
    assert verified(office, id_).counts == {ComparedAs.SAME: 1}


def test_labels_are_seen_as_the_import_saw_them(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    _, id_ = office.submit()
    import_ = office.work(id_)
    options = replace(import_.options, folders=read_patterns("!Work"))
    views: list[LabelView] = []
    opened = office.sessions.open_source

    def open_source(
        account: Account, credential: Credential, labels: LabelView | None, limit: WorkLimit
    ) -> MailboxReader:
        views.extend([labels] if labels is not None else [])
        return opened(account, credential, labels, limit)

    monkeypatch.setattr(office.sessions, "open_source", open_source)
    import_ = replace(import_, options=options)
    verify(office.deps, import_, Credentials(PASSWORD, PASSWORD))
    trace_message(office.deps, import_, "<a@old.example>", Side.SOURCE, PASSWORD)
    inbox = FolderRef("INBOX", office.old.folders["INBOX"].uidvalidity)
    for view in views:
        assert [*view.settled()] == [(inbox, UidSet.of(office.old.folders["INBOX"].messages))]
        assert not view.copies("Work")
    assert len(views) == 2
