"""Composed mails: content, recipients, and the escaping of external text."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest

from importer.adapters.mail.addresses import ascii_domain, mailbox, sender_mailbox
from importer.adapters.mail.compose import TemplateComposer
from importer.compact.uid_set import Uid, UidValidity
from importer.domain.folder_mapping.label_rules import LabelRule
from importer.domain.import_options import ImportOptions
from importer.domain.messages.skip_reason import SkipReason
from importer.domain.model import Account, Alert, Batch, BatchId, Import, ImportId, Problem, State
from importer.domain.people.mail_recipients import MailReader, MailVoice
from importer.domain.receipts.folder_tally import FolderTally, Refusal, RefusalCode
from importer.domain.reporting.report import BatchReport, Report
from importer.ports.notices import Invitation, Notice
from providers.endpoint import Endpoint
from providers.errors import Side
from providers.text import Text

T = datetime(2026, 3, 1, 14, 30, tzinfo=UTC)
KEY = b"k" * 32
COMPOSER = TemplateComposer("Mailhaul <mailhaul@new.example>", KEY)
IMPORT = Import(
    ImportId("i1"),
    Account("ada@old.example", "ada@old.example", Endpoint("imap.old.example")),
    Account("ada@new.example", "ada", Endpoint("imap.new.example")),
    T,
    state=State.COMPLETE,
    started_at=T,
    finished_at=T + timedelta(minutes=3, seconds=12),
)
ACCOUNTS = (
    FolderTally("INBOX", "INBOX", found=1204, copied=1200, present=1, failed=3, copied_bytes=61_000_000),
    FolderTally("Gesendet", "Sent", found=3007, copied=2990, duplicate=8, skipped={SkipReason("notice"): 9}),
)
DRAWN = re.compile(
    r"^ *([\d,]+)  (copied|already there|duplicates|left out|not copied|found)",
    re.MULTILINE | re.IGNORECASE,
)


TOO_LARGE = Text("too_large", size="25 MB")


def refusal(number: int = 1, **changes: Any) -> Refusal:
    refusal_ = Refusal(
        IMPORT.id,
        "INBOX",
        UidValidity(1),
        Uid(number),
        Text("too_large", size="25 MB"),
        "2019-03-01",
        f"Pictures {number}",
    )
    return replace(refusal_, **changes)


def quoted(words: str) -> Text:
    return Text("other.words", words=words)


BOTH = (MailReader("ada@old.example"), MailReader("ada@new.example"))


def report(*tallies: FolderTally, refusals: tuple[Refusal, ...] = (), **changes: Any) -> Report:
    return Report(replace(IMPORT, **changes), tallies, refusals)


def completion_notice(it: Report) -> Notice:
    return next(n for n in COMPOSER.completion(it, BOTH, T) if n.recipient == "ada@new.example")


def number(text: str) -> int:
    return int(text.replace(",", ""))


class _Page(HTMLParser):
    """Tables as rows of cells, the visible text, and all tags with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._caption = ""
        self._inside: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "caption":
            self._caption = ""
        if tag == "tr" and self._caption:
            self.tables.setdefault(self._caption, []).append([])
        if tag in ("td", "th") and self._caption:
            self.tables[self._caption][-1].append("")
        if tag in ("caption", "style", "title", "td", "th"):
            self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = None
        if tag == "table":
            self._caption = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "caption":
            self._caption += data.strip()
        elif self._inside in ("td", "th") and self._caption:
            self.tables[self._caption][-1][-1] += data.strip() + " "
        if self._inside not in ("style", "title"):
            self.words.append(data.strip())


# --- Numbers ---------------------------------------------------------------------------------------


def test_the_numbers_add_up_in_text_and_html_and_in_every_folder() -> None:
    notice = completion_notice(report(*ACCOUNTS, state=State.INCOMPLETE, refusals=(refusal(),)))

    drawn = [(number(n), what) for n, what in DRAWN.findall(notice.text)]
    assert drawn[-1] == (4211, "Found")
    assert sum(n for n, _ in drawn[:-1]) == 4211

    page = _Page(notice.html)
    *parts, total = [number(row[1]) for row in page.tables["Result"]]
    assert parts == [4190, 1, 8, 9, 3]
    assert sum(parts) == total == 4211

    folders = page.tables["Where your mail went"]
    for [cell] in folders:
        listed, *rest = [number(found) for found in re.findall(r"[^\d,.]\s*([\d,]+)(?=\s*(?:·|$))", cell)]
        assert "Found" in cell
        assert listed == sum(rest)
    assert folders[1][0].split()[:3] == ["Gesendet", "→", "Sent"]


def test_an_unfinished_import_shows_the_remaining_messages() -> None:
    full = Problem(Text("destination_full"), None, "NO [OVERQUOTA]")
    notice = completion_notice(
        report(FolderTally("INBOX", "INBOX", found=9, copied=4), state=State.STOPPED, problem=full)
    )
    *parts, total = [number(row[1]) for row in _Page(notice.html).tables["Result"]]
    assert parts[-1] == 5
    assert sum(parts) == total == 9
    for body in (notice.text, notice.html):
        assert "The new mailbox is full." in body
        assert "Free up space or get more" in " ".join(body.split())
        assert "NO [OVERQUOTA]" in body
        assert "start the copy again" in " ".join(body.split())


@pytest.mark.parametrize(
    ("it", "subject"),
    [
        (report(FolderTally("I", "I", 4211, 4211)), "ada@old.example: 4,211 messages copied"),
        (report(FolderTally("I", "I", 1, 1)), "ada@old.example: 1 message copied"),
        (
            report(FolderTally("I", "I", 9, 0, 9)),
            "ada@old.example: nothing new to copy, 9 messages are already there",
        ),
        (report(), "ada@old.example: the old mailbox was empty"),
        (
            report(FolderTally("I", "I", 9, 6, failed=3), state=State.INCOMPLETE),
            "ada@old.example: copied, except 3 messages",
        ),
        (
            report(FolderTally("I", "I", 3, failed=3), state=State.INCOMPLETE),
            "ada@old.example: 3 messages could not be copied",
        ),
        (report(state=State.STOPPED), "ada@old.example: the copy has stopped and needs you"),
        (report(state=State.FAILED), "ada@old.example: the copy could not be finished"),
    ],
)
def test_the_subject_names_the_outcome_and_no_address(it: Report, subject: str) -> None:
    assert completion_notice(it).subject == subject


@pytest.mark.parametrize("state", State)
def test_the_mail_states_what_was_not_changed_and_the_next_step(state: State) -> None:
    notice = completion_notice(report(*ACCOUNTS, state=state))
    for body in (" ".join(notice.text.split()), " ".join(_Page(notice.html).words)):
        assert "Nothing was deleted or changed in the old mailbox." in body
        assert "It is safe to start the copy again" in body
        assert "3 minutes 12 seconds" in body
        assert re.search("what to do next", body, re.IGNORECASE)


def test_dropped_keywords_and_new_mail_are_mentioned_only_if_there_are_any() -> None:
    plain, detailed = (
        completion_notice(
            report(FolderTally("I", "I", 2, 2, keywords_dropped=dropped, source_recount=2 + dropped))
        )
        for dropped in (0, 3)
    )
    for body in (detailed.text, detailed.html):
        assert "3 keywords" in body
        assert "3 messages arrived" in body
    for body in (plain.text, plain.html):
        assert "keyword" not in body
        assert "arrived in the old" not in body


def test_recognised_messages_are_mentioned_only_if_there_are_any() -> None:
    for recognised, mentioned in ((0, False), (1, True), (3, True)):
        notice = completion_notice(report(FolderTally("I", "I", 4, 0, 4, recognised=recognised)))
        for body in (notice.text, notice.html):
            assert ("changed by another program" in body.replace("\n  ", " ")) == mentioned


def test_what_the_server_wants_its_users_to_read_has_no_link() -> None:
    alerts = (Alert(Side.SOURCE, "Maintenance tonight, see http://status.old.example/"),)
    notice = completion_notice(report(FolderTally("I", "I", 1, 1), alerts=alerts))
    for body in (notice.text, notice.html):
        assert "Maintenance tonight" in " ".join(body.split())
        assert "http://status" not in body


def test_labels_and_updated_flags_are_mentioned_only_if_there_are_any() -> None:
    usual = completion_notice(
        report(FolderTally("I", "I", 2, 2), options=ImportOptions(labels=LabelRule.EACH))
    )
    inbox = FolderTally("I", "I", 2, 2, flags_updated=3)
    chosen = completion_notice(report(inbox, options=ImportOptions(labels=LabelRule.EACH), has_labels=True))
    for body in (chosen.text, chosen.html):
        sentence = " ".join(body.split())
        assert "Mail with several labels: A copy for each label." in sentence
        assert "The flags of 3 previously copied messages were updated" in sentence
    for body in (usual.text, usual.html):
        assert "label" not in body
        assert "previously copied" not in body


def test_long_lists_are_cut_and_the_rest_is_counted() -> None:
    name = "Projekte/Zürich und Umgebung/Offerten"
    accounts = [
        FolderTally(f"{name} {n}", f"{name}.{n}", 1204, 1199, 1, 1, {SkipReason("notice"): 1}, failed=2)
        for n in range(1200)
    ]
    refusals = tuple(
        refusal(
            n,
            subject=f"Subject<{n}> {'& so weiter ' * 30}",
            reason=quoted("zu groß " * 12),
        )
        for n in range(2400)
    )
    it = report(*accounts, state=State.INCOMPLETE, refusals=refusals)
    notice = completion_notice(it)
    for body in (notice.text, unescape(notice.html)):
        assert len(re.findall(r"Subject<\d+>", body)) == 50
        assert "and 2,350 more." in body
        assert "and 1,140 more folders." in body
    assert len(notice.html.encode()) < 102_000, "Gmail clips longer mails"


def test_copies_that_were_never_seen_have_a_row_and_a_list_of_their_own() -> None:
    sent = refusal(2, reason=Text("never_seen"), code=RefusalCode.NEVER_SEEN)
    tally = FolderTally("INBOX", "INBOX", found=9, copied=7, failed=2)
    notice = completion_notice(report(tally, refusals=(refusal(), sent), state=State.INCOMPLETE))
    page = _Page(notice.html)
    assert [row[0] for row in page.tables["Not copied"][1:]] == ["Pictures 1 INBOX · 2019-03-01 "]
    [row] = page.tables["Sent by an earlier import, but never seen in the new mailbox"][1:]
    assert row[0].startswith("Pictures 2")
    assert re.search(r"^ +1  Not copied$", notice.text, re.MULTILINE)
    assert re.search(r"^ +1  Never seen there \(sent by an earlier import\)$", notice.text, re.MULTILINE)


def test_a_failed_folder_counts_with_all_of_its_messages() -> None:
    closed = refusal(uid=None, folder="Archiv", count=12, subject="")
    it = report(FolderTally("Archiv", "", 12, failed=12), refusals=(closed,), state=State.INCOMPLETE)
    for body in (completion_notice(it).text, completion_notice(it).html):
        assert "A whole folder: 12 messages" in body
        assert "more." not in body


# --- Languages --------------------------------------------------------------------------------------

FULL = Problem(Text("destination_full"), None, "NO [OVERQUOTA]")
SPOKEN = {
    "en": ("ada@old.example: copied, except 3 messages", "What to do next", "4,211"),
    "de": ("ada@old.example: kopiert, bis auf 3 Nachrichten", "Was jetzt zu tun ist", "4.211"),
    "fr": ("ada@old.example\u00a0: copiée, sauf 3 messages", "Que faire maintenant", "4\u202f211"),
    "it": ("ada@old.example: copiata, tranne 3 messaggi", "Che cosa fare ora", "4.211"),
    "es": ("ada@old.example: copiado, excepto 3 mensajes", "Qué hacer ahora", "4.211"),
}


@pytest.mark.parametrize("language", SPOKEN)
def test_a_mail_is_in_the_language_of_the_import_in_text_and_html(language: str) -> None:
    notice = completion_notice(
        report(*ACCOUNTS, state=State.INCOMPLETE, refusals=(refusal(),), language=language)
    )
    subject, heading, total = SPOKEN[language]
    assert notice.subject == subject
    assert heading.upper() in notice.text
    assert heading in notice.html
    assert total in notice.text
    assert ("html", {"lang": language, "dir": "ltr"}) in _Page(notice.html).tags


@pytest.mark.parametrize(
    ("language", "state", "sentence"),
    [
        ("en", State.COMPLETE, "is copied when the person who started the copy starts"),
        (
            "de",
            State.COMPLETE,
            "wird kopiert, wenn die Person, die die Kopie gestartet hat, die Kopie neu startet",
        ),
        ("fr", State.COMPLETE, "seront copiés lorsque la personne qui a lancé la copie relancera la copie"),
        ("it", State.COMPLETE, "viene copiata quando la persona che ha avviato la copia riavvia la copia"),
        ("es", State.COMPLETE, "se copia cuando la persona que inició la copia vuelve a iniciar la copia"),
        ("de", State.STOPPED, "Wer die Kopie gestartet hat, weiß Bescheid"),
    ],
)
def test_an_unnamed_submitter_reads_well_in_a_sentence(language: str, state: State, sentence: str) -> None:
    it = report(*ACCOUNTS, language=language, state=state)
    readers = [MailReader("ada@new.example", MailVoice.OWNER)]
    [notice] = COMPOSER.completion(it, readers, T)
    for body in (notice.text, " ".join(_Page(notice.html).words)):
        assert sentence in " ".join(body.split())


def test_the_default_language_is_that_of_the_installation() -> None:
    german = TemplateComposer("m@new.example", KEY, "de")
    assert german.completion(report(), BOTH, T)[0].subject == "ada@old.example: das alte Postfach war leer"
    english = german.completion(report(language="en"), BOTH, T)[0]
    assert english.subject == "ada@old.example: the old mailbox was empty"


@pytest.mark.parametrize("state", State)
def test_a_german_mail_holds_no_english_sentences(state: State) -> None:
    it = report(
        FolderTally("A", "B", 19, 6, 2, 1, {SkipReason("X"): 1}, 3, 900, 4, 2, 21),
        refusals=(
            refusal(reason=quoted("Y")),
            refusal(2, uid=None, subject="", count=2),
            refusal(3, subject=""),
        ),
        state=state,
        problem=FULL,
        language="de",
        row=2,
    )
    rows = BatchReport(Batch(BatchId("b1"), T, "f", "it@new.example", language="de"), (it,))
    invited = [
        Invitation(
            it.import_, side, "Google", "https://haul.example/consent/x", T + timedelta(days=14), 2, True
        )
        for side in Side
    ]
    invitations = [notice for invitation in invited for notice in COMPOSER.invitation(invitation, T)]
    notices = (completion_notice(it), *COMPOSER.batch_summary(rows, T), *invitations)
    english = r"(?i)\b(the|mailbox(es)?|messages?|copied|found|left|already|were|is|and|your|you|it|of)\b"
    for notice in notices:
        for body in (notice.subject, notice.text, " ".join(_Page(notice.html).words)):
            assert not re.findall(english, body.replace("it@new.example", "")), body


# --- External text ---------------------------------------------------------------------------------

NASTY = "Hi\r\nBcc: x@evil.example\n\n<script>alert(1)</script>\u202egnp.exe\x1b[2J{{ 7*7 }}\ud83d\x00"


def test_external_text_cannot_inject_markup_headers_or_direction() -> None:
    it = Report(
        replace(
            IMPORT,
            state=State.STOPPED,
            source=replace(IMPORT.source, address="a@b.example\r\nBcc: x@evil.example"),
            problem=Problem(Text("host_unknown", host=NASTY), None, NASTY),
        ),
        (FolderTally(NASTY, NASTY + "2", 1, skipped={SkipReason.read(NASTY): 1}),),
        (refusal(subject=NASTY, reason=Text("not_taken", words=NASTY), folder=NASTY, date=NASTY),),
    )
    rows = BatchReport(Batch(BatchId("b1"), T, NASTY, "it@new.example"), (it,))
    for notice in (completion_notice(it), *COMPOSER.batch_summary(rows, T)):
        assert not set(notice.subject) & set("\r\n\x00\x1b\u202e")
        for body in (notice.subject, notice.text, notice.html):
            body.encode()  # no lone surrogates
            assert not set(body) & set("\r\x00\x1b\u202e")
            assert "49" not in body
            assert "\nBcc:" not in body
        tags = {tag for tag, _ in _Page(notice.html).tags}
        assert "script" not in tags
        assert "&lt;script&gt;" in notice.html


def test_the_html_loads_no_resources_and_is_accessible() -> None:
    rows = BatchReport(Batch(BatchId("b1"), T, "move.csv", "it@new.example"), (report(*ACCOUNTS),))
    for notice in (
        completion_notice(report(*ACCOUNTS, refusals=(refusal(),))),
        *COMPOSER.batch_summary(rows, T),
    ):
        tags = _Page(notice.html).tags
        assert ("html", {"lang": "en", "dir": "ltr"}) in tags
        assert [tag for tag, _ in tags].count("h1") == 1
        assert not {"img", "script", "link", "iframe", "form", "a"} & {tag for tag, _ in tags}
        assert not re.search(r"https?:|url\(|@import", notice.html)
        assert all(attributes.get("scope") for tag, attributes in tags if tag == "th")
        assert "prefers-color-scheme: dark" in notice.html


# --- Invitations --------------------------------------------------------------------------------------


def invitation(side: Side = Side.SOURCE, *, both: bool = False, **changes: Any) -> Notice:
    import_, link = replace(IMPORT, **changes), "https://haul.example/consent/x"
    invitation_ = Invitation(import_, side, "Google", link, T + timedelta(days=14), both=both)
    [notice] = COMPOSER.invitation(invitation_, T)
    return notice


def test_an_invitation_names_source_destination_submitter_and_deadline() -> None:
    notice = invitation(submitter="admin@new.example")
    assert (notice.recipient, notice.key) == ("ada@old.example", "consent:i1:source:ada@old.example:1")
    assert "ada" not in notice.subject
    for body in (notice.text, " ".join(_Page(notice.html).words)):
        for expected in (
            "ada@old.example",
            "ada@new.example",
            "admin@new.example",
            "Google",
            "Mar 15, 2026, 14:30 UTC",
        ):
            assert expected in body
        assert "https://haul.example/consent/x" in body
        assert re.search(r"nothing\s+is copied unless you sign in", body)


def test_an_invitation_to_the_destination_owner_says_that_mail_is_added() -> None:
    notice = invitation(Side.DESTINATION, both=True)
    assert (notice.recipient, notice.key) == ("ada@new.example", "consent:i1:destination:ada@new.example:1")
    assert notice.subject == "Please sign in so that mail can be copied into your mailbox"
    for body in (notice.text, " ".join(_Page(notice.html).words)):
        sentence = " ".join(body.split())
        assert "The mail from ada@old.example is to be copied into your mailbox ada@new.example" in sentence
        assert "it adds mail and does not change existing messages" in sentence
        assert "The owner of the other mailbox is asked as well" in sentence
        assert re.search(r"in(?: there|) with Google as ada@new\.example|there as ada@new\.example", sentence)
        assert "read" not in sentence


def test_an_invitation_has_one_link_and_loads_no_resources() -> None:
    notice = invitation()
    tags = _Page(notice.html).tags
    assert [facts["href"] for tag, facts in tags if tag == "a"] == ["https://haul.example/consent/x"]
    assert not {"img", "script", "link", "iframe", "form"} & {tag for tag, _ in tags}
    assert [tag for tag, _ in tags].count("h1") == 1
    assert all(facts.get("scope") for tag, facts in tags if tag == "th")


def test_external_text_cannot_inject_into_an_invitation() -> None:
    notice = invitation(
        submitter=NASTY, destination=replace(IMPORT.destination, address=f"a@new.example\r\n{NASTY}")
    )
    for body in (notice.subject, notice.text, notice.html):
        body.encode()
        assert not set(body) & set("\r\x00\x1b\u202e")
        assert "49" not in body
    assert "script" not in {tag for tag, _ in _Page(notice.html).tags}


# --- Recipients and keys ------------------------------------------------------------------------------


def test_each_recipient_gets_one_mail() -> None:
    to = (*BOTH, *map(MailReader, ("ADA@New.Example", "ada", "IT@new.example")))
    notices = COMPOSER.completion(report(), to, T)
    assert [notice.recipient for notice in notices] == [
        "ada@old.example",
        "ada@new.example",
        "IT@new.example",
    ]


@pytest.mark.parametrize(
    "words",
    [
        "call +1-900-EVIL https://evil.example/login?x=1",
        "www.evil.example",
        "evil.example/pay",
        "HTTPS://EVIL.EXAMPLE",
        "mailto:ada@evil.example",
    ],
)
def test_words_of_others_hold_no_link_in_a_mail(words: str) -> None:
    problem = Problem(Text("host_unknown", host=words), Side.SOURCE, words)
    it = report(
        FolderTally(words, words, 2, failed=2),
        refusals=(refusal(subject=words, reason=Text("not_taken", words=words), folder=words),),
        state=State.STOPPED,
        problem=problem,
    )
    notice = completion_notice(it)
    for part in (notice.text, unescape(notice.html), notice.subject):
        assert not re.search(r"evil\.example|://evil", part, re.IGNORECASE), part
    assert "evil[.]example" in notice.text.lower()
    assert "old.example" in notice.text  # our own words about the import's hosts stay


@pytest.mark.parametrize(
    "words", ["http://192.0.2.1/pay", "https://[2001:db8::1]/pay", "https://3221225985/pay"]
)
def test_words_of_others_hold_no_link_to_a_number(words: str) -> None:
    problem = Problem(Text("host_unknown", host=words), Side.SOURCE, words)
    it = report(
        refusals=(refusal(subject=words, reason=Text("not_taken", words=words), folder=words),),
        problem=problem,
    )
    notice = completion_notice(it)
    assert "://" not in notice.text
    assert words not in unescape(notice.html)


def test_equal_reports_give_equal_mails_so_that_posting_is_idempotent() -> None:
    first, second = (
        TemplateComposer("m@new.example", KEY).completion(report(*ACCOUNTS), BOTH, T) for _ in range(2)
    )
    assert first == second
    assert [notice.key for notice in first] == ["import:i1:ada@old.example", "import:i1:ada@new.example"]
    assert len({notice.message_id for notice in first}) == 2
    assert all(re.fullmatch(r"<[0-9a-f]{32}@new\.example>", notice.message_id) for notice in first)


def test_a_message_id_cannot_be_guessed_without_the_key() -> None:
    other = TemplateComposer("m@new.example", b"other").completion(report(), BOTH, T)
    assert other[0].message_id != COMPOSER.completion(report(), BOTH, T)[0].message_id


def test_a_batch_whose_rows_ended_again_gets_another_summary() -> None:
    rows = BatchReport(Batch(BatchId("b1"), T, submitter="it@new.example"), (report(), report()))
    later = replace(rows, reports=(report(), report(finished_at=T + timedelta(hours=1))))
    (first,), (same,), (again,) = (COMPOSER.batch_summary(it, T) for it in (rows, rows, later))
    assert first == same
    assert again.key.startswith("batch:b1:it@new.example:")
    assert (again.key, again.message_id) != (first.key, first.message_id)


def test_a_batch_summary_goes_to_its_submitter_only() -> None:
    stopped = report(state=State.STOPPED, problem=Problem(Text("host_unknown", host="x")), row=3)
    rows = BatchReport(
        Batch(BatchId("b1"), T, "move.csv", "It@new.example"), (report(*ACCOUNTS, row=2), stopped)
    )
    (notice,) = COMPOSER.batch_summary(rows, T)
    assert notice.key.startswith("batch:b1:it@new.example:")
    assert notice.recipient == "It@new.example"
    assert notice.subject == "move.csv: 1 of 2 mailboxes complete, 1 needs you"
    for body in (notice.text, unescape(notice.html)):
        assert "There is no server called x." in body
        assert "4,190" in body
        assert "ine 3" in body
    nobody = replace(rows, batch=replace(rows.batch, submitter=""))
    assert COMPOSER.batch_summary(nobody, T) == ()


# --- Addresses -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "@new.example",
        "ada@",
        "a@b@new.example",
        "a@x.example, b@y.example",
        "a@x.example\r\nBcc: b@y.example",
        "<a@x.example>",
        "a b@x.example",
        "a@x..example",
        "a\x00@x.example",
        f"a@{'x' * 64}.example",
    ],
)
def test_invalid_recipient_addresses_are_rejected(text: str) -> None:
    with pytest.raises(ValueError, match=r"address|domain"):
        mailbox(text)


def test_an_umlaut_domain_is_encoded_with_idna_2008() -> None:
    assert ascii_domain("Straße.example") == "xn--strae-oqa.example"  # IDNA 2003: strasse.example
    assert ascii_domain("BÜCHER.example") == "xn--bcher-kva.example"
    assert mailbox("ada@bücher.example").addr_spec == "ada@xn--bcher-kva.example"


def test_a_sender_may_have_a_display_name() -> None:
    assert str(sender_mailbox("Mail Haul <m@new.example>")) == "Mail Haul <m@new.example>"
    assert str(sender_mailbox("m@new.example")) == "m@new.example"


@pytest.mark.parametrize(
    ("language", "sentence", "column"),
    [("en", "3 messages were copied before", "No longer there"), ("de", "bleiben weg", "Nicht mehr da")],
)
def test_mail_that_its_owner_removed_is_told_apart(language: str, sentence: str, column: str) -> None:
    it = report(FolderTally("INBOX", "INBOX", found=10, present=7, gone=3, confirmed=0), language=language)
    notice = completion_notice(it)
    for body in (notice.text, notice.html):
        words = " ".join(unescape(re.sub("<[^>]+>", " ", body)).split())
        assert sentence in words
        assert column in words
        assert "0 of 0" not in words
    assert "10" not in notice.subject
