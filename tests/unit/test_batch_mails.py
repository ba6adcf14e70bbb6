"""The mails of a batch: one for its submitter, those that need somebody first, with links; owners are
addressed as owners."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.headerregistry import Address
from hashlib import sha256
from html import unescape
from pathlib import Path

import pytest

from importer.adapters.mail.compose import TemplateComposer
from importer.adapters.mail.mime_message import Envelope, wire_message
from importer.domain.evidence.evidence_file import EvidenceFormat
from importer.domain.import_filter import ImportFilter
from importer.domain.model import Account, Batch, BatchId, Import, ImportId, Problem, State
from importer.domain.people.actor import Actor
from importer.domain.people.mail_recipients import MailReader, MailVoice
from importer.domain.receipts.folder_tally import FolderTally
from importer.domain.reporting.batch_overview import NEEDED_SINCE, Summary, summary_due
from importer.domain.reporting.report import BatchReport, Report
from importer.i18n.state_texts import COUNTS, count_name
from importer.i18n.translations import LANGUAGES, texts
from importer.service.evidence_files import EvidenceFile
from importer.service.imports.submit import submit
from importer.service.tick import Tick
from providers.endpoint import Endpoint, Secret
from providers.errors import Side
from providers.text import Text
from tests import mail_samples
from tests.unit.batch_office import HEAD, BatchOffice
from tests.unit.test_service import Office, a_row

T = datetime(2026, 3, 1, 12, tzinfo=UTC)
COMPOSER = TemplateComposer("mailhaul@new.example", b"k" * 32)
PAGES = "https://haul.example"
WRONG = Problem(Text("login_rejected", host="imap.old.example"), Side.SOURCE, "NO")
CONSENT = Problem(Text("consent_needed"), Side.SOURCE)


def account(name: str, where: str) -> Account:
    address = f"{name}@{where}.example"
    return Account(address, address, Endpoint(f"imap.{where}.example"))


def report(name: str, state: State, *tallies: FolderTally, problem: Problem | None = None) -> Report:
    import_ = Import(
        ImportId(name),
        account(name, "old"),
        account(name, "new"),
        T,
        BatchId("b1"),
        submitter="it@new.example",
        state=state,
        problem=problem,
        finished_at=T,
    )
    return Report(import_, tallies)


def batch(*reports: Report, name: str = "people.csv") -> BatchReport:
    ids = tuple(r.import_.id for r in reports)
    return BatchReport(Batch(BatchId("b1"), T, name, "it@new.example", ids, "mailbox:it"), reports)


DONE = report("anna", State.COMPLETE, FolderTally("INBOX", "INBOX", 300, 300))
STOPPED = report("bert", State.STOPPED, FolderTally("INBOX", "INBOX", 300, 100), problem=WRONG)


# --- The summary --------------------------------------------------------------------------------------


def test_the_rows_that_need_somebody_come_first_with_reason_advice_and_link() -> None:
    [notice] = COMPOSER.batch_summary(batch(DONE, STOPPED), T, PAGES)
    assert notice.subject == "people.csv: 1 of 2 mailboxes complete, 1 needs you"
    for body in (notice.text, unescape(notice.html)):
        assert body.index("bert@old.example") < body.index("anna@old.example")
        assert "does not accept this password" in body or "rejected" in body
        assert f"{PAGES}/batches/b1" in body
        assert f"{PAGES}/imports/bert" in body
        assert f"{PAGES}/imports/anna" not in body


def test_without_pages_that_the_submitter_can_open_there_are_no_links() -> None:
    [notice] = COMPOSER.batch_summary(batch(DONE, STOPPED), T)
    assert "href=" not in notice.html
    assert "http" not in notice.text


def submit_two(office: Office, **choices: object) -> BatchId:
    second = replace(a_row(source=account("eve", "old")), choices=choices)
    rows = [replace(a_row("wrong"), choices=choices), replace(second, source_password=Secret("wrong"))]
    submission = submit(office.deps, Actor("mailbox:it", notify="it@other.example"), rows)
    assert submission.batch is not None
    for import_ in submission.started:
        office.work(import_.id)
    return submission.batch.id


def test_the_submitter_gets_one_mail_in_place_of_one_for_each_row() -> None:
    office = Office()
    office.sessions.mailboxes[account("eve", "old").key] = office.old
    submit_two(office)
    [mail] = office.store.notices()
    assert mail.key.startswith("batch:")
    assert mail.recipient == "it@other.example"
    assert "https://haul.example/imports/" in mail.text


def test_the_summary_states_the_sha_256_of_the_evidence_of_all_imports() -> None:
    office = Office()
    office.sessions.mailboxes[account("eve", "old").key] = office.old
    batch_id = submit_two(office)
    imports = office.deps.store.imports(ImportFilter(batch_id=batch_id))
    content = b"".join(EvidenceFile(office.deps, imports, EvidenceFormat.CSV))
    [mail] = office.store.notices()
    digest = sha256(content).hexdigest()
    assert digest in mail.text.replace("\n  ", "")
    assert digest in mail.html
    assert all(import_.id.encode() in content for import_ in imports)


def test_the_submitter_can_choose_a_mail_for_each_mailbox_as_well() -> None:
    office = Office()
    office.sessions.mailboxes[account("eve", "old").key] = office.old
    submit_two(office, mail_per_mailbox=True)
    assert [mail.recipient for mail in office.store.notices()] == ["it@other.example"] * 3


def test_a_batch_that_waits_for_owners_is_summed_up_once_before_its_end() -> None:
    waits = report("cora", State.WAITING, problem=CONSENT).import_
    running = report("dora", State.RUNNING).import_
    done, stopped = DONE.import_, STOPPED.import_
    assert summary_due([done, stopped], T) is Summary.FINAL
    assert summary_due([done, waits], T) is Summary.SO_FAR
    assert summary_due([waits, waits], T) is None
    assert summary_due([done, waits, running], T) is None
    assert summary_due([stopped, running], T) is None
    assert summary_due([stopped, running], T + NEEDED_SINCE) is Summary.SO_FAR
    it = batch(STOPPED, report("cora", State.WAITING, problem=CONSENT))
    [so_far] = COMPOSER.batch_summary(it, T, PAGES, so_far=True)
    [later] = COMPOSER.batch_summary(it, T + NEEDED_SINCE, PAGES, so_far=True)
    assert so_far.key == later.key == "batch:b1:it@new.example:so-far"
    assert "one more mail" in so_far.text


def test_a_tick_tells_of_a_row_that_has_needed_its_submitter_for_an_hour() -> None:
    office = Office()
    rows = [a_row("wrong"), a_row(source=account("eve", "old"))]
    submission = submit(office.deps, Actor("mailbox:it", notify="it@other.example"), rows)
    office.work(submission.started[0].id)
    tick = Tick(office.deps)
    tick()
    assert not office.store.notices()
    office.clock.sleep(NEEDED_SINCE.total_seconds() + 1)
    tick()
    tick()
    [mail] = office.store.notices()
    assert mail.key.endswith(":so-far")


def test_later_batches_hide_none_that_needs_its_submitter() -> None:
    office = Office()
    rows = [a_row("wrong"), a_row(source=account("eve", "old"))]
    submission = submit(office.deps, Actor("mailbox:it", notify="it@other.example"), rows)
    office.work(submission.started[0].id)
    office.clock.sleep(NEEDED_SINCE.total_seconds() + 1)
    for number in range(100):
        submit(office.deps, Actor(), [a_row(source=account(f"u{number}", "old"))])
    Tick(office.deps)()
    [mail] = office.store.notices()
    assert mail.key.endswith(":so-far")


# --- Completion mails -----------------------------------------------------------------------------------


def mails(it: Report) -> dict[str, str]:
    readers = [
        MailReader("owner@old.example", MailVoice.OWNER),
        MailReader("it@new.example", MailVoice.SUBMITTER),
        MailReader("self@new.example"),
    ]
    return {n.recipient: unescape(n.html) for n in COMPOSER.completion(it, readers, T, PAGES)}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", list(State))
def test_every_mail_names_its_mailbox_in_the_subject(state: State, language: str) -> None:
    it = report("anna", state, FolderTally("INBOX", "INBOX", 3, 1, failed=1))
    readers = [MailReader("a@b.example", voice) for voice in MailVoice]
    for reader in readers:
        [notice] = COMPOSER.completion(replace_language(it, language), [reader], T, PAGES)
        assert notice.subject.startswith("anna@old.example")


def replace_language(it: Report, language: str) -> Report:
    return replace(it, import_=replace(it.import_, language=language))


def test_owners_read_who_copies_their_mail_and_nothing_that_they_cannot_do() -> None:
    found = mails(STOPPED)
    owner = found["owner@old.example"]
    assert "it@new.example started a copy of the mail in your mailbox bert@old.example" in owner
    assert "it@new.example knows and can start the copy again" in owner
    for words in ("start the copy again: it copies", "app password", "Fix the problem", PAGES, "needs you"):
        assert words not in owner, words
    for address in ("it@new.example", "self@new.example"):
        assert f"{PAGES}/imports/bert" in found[address]
        assert "Fix the problem" in found[address]


def test_owners_are_told_what_only_they_can_mend() -> None:
    full = Problem(Text("destination_full"), Side.DESTINATION)
    it = report("bert", State.STOPPED, FolderTally("INBOX", "INBOX", 300, 100), problem=full)
    advice = "space"
    assert advice in mails(it)["owner@old.example"].lower()


# --- The header -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lead", range(40, 80))
def test_a_fold_before_an_encoded_word_leaves_one_blank(lead: int) -> None:
    subject = "x" * (lead % 7 + 1) + " " + "word " * (lead // 6) + "k\u00f6nnen"
    [notice] = COMPOSER.completion(DONE, [MailReader("a@b.example")], T)
    envelope = Envelope(Address(addr_spec="m@b.example"), Address(addr_spec="a@b.example"))
    wire = wire_message(replace(notice, subject=subject), envelope, b"k")
    header = wire.partition(b"\r\n\r\n")[0]
    assert b" \r\n" not in header
    unfolded = header.replace(b"\r\n ", b" ")
    assert b"  " not in unfolded
    assert message_from_bytes(wire)["Subject"] is not None


def test_nothing_is_posted_about_a_batch_that_runs() -> None:
    office = Office()
    rows = [a_row(), a_row(source=account("eve", "old"))]
    submit(office.deps, Actor("mailbox:it", notify="it@other.example"), rows)
    office.clock.sleep(timedelta(hours=3).total_seconds())
    Tick(office.deps)()
    assert not office.store.notices()


@pytest.mark.parametrize("ticked", [True, False])
def test_the_page_of_a_file_has_the_choice(tmp_path: Path, *, ticked: bool) -> None:
    office = BatchOffice(tmp_path, rows=2, google=0)
    lines = "\n".join(f"v{n}@old.example,x,imap.old.example,v{n}@new.example," for n in range(2))
    office.admin.post("/file", rows=HEAD + lines + "\n")
    assert "A mail about each mailbox, too" in office.admin.get("/file/preview").text
    chosen = {"mail_per_mailbox": "yes"} if ticked else {}
    path = str(office.admin.post("/file/start", **chosen).headers["location"])
    started = office.web.deps.store.imports(ImportFilter(batch_id=BatchId(path.rpartition("/")[2])))
    assert [import_.options.mail_per_mailbox for import_ in started] == [ticked, ticked]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_numbers_of_a_folder_wrap_only_between_each_other(language: str) -> None:
    html = mail_samples.mails(language)["gaps"]
    names = {count_name(texts(language), each) for each in COUNTS}
    assert any(f">{name}</span>&nbsp;<span" in html for name in names)
    assert [name for name in names if " " in name and f">{name}</span>&nbsp;<span" in html] == []
    assert '</span> · <span class="soft"' not in html
