"""One mail of each kind, with long addresses and folder names, to be looked at and measured in a browser."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from importer.adapters.mail.compose import PLAIN, TemplateComposer
from importer.compact.uid_set import Uid, UidValidity
from importer.domain.brand import Brand
from importer.domain.messages.skip_reason import SkipReason
from importer.domain.model import Account, Batch, BatchId, Import, ImportId, Problem, State
from importer.domain.people.mail_recipients import MailReader, MailVoice
from importer.domain.receipts.folder_tally import FolderTally, Refusal
from importer.domain.reporting.report import BatchReport, Report
from importer.ports.notices import Invitation
from providers.endpoint import Endpoint
from providers.errors import Side
from providers.text import Text

NOW: Final = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PAGES: Final = "https://mailhaul.new.example"
LONG: Final = "Ein-Ordner-mit-sehr-langem-Namen-" * 5 + "ohne-eine-einzige-Leerstelle"
LONG_ADDRESS: Final = "beatrice.long-surname-with-many-parts-and-more@mail.{}.example"
SUBMITTER: Final = "administration@new.example"
TALLIES: Final = (
    FolderTally("INBOX", "INBOX", found=1_234_567, copied=1_000_000, present=234_566, failed=1, confirmed=10),
    FolderTally(
        f"INBOX.{LONG}", f"INBOX.{LONG}2", found=90_000, copied=80_000, skipped={SkipReason("other"): 10_000}
    ),
    FolderTally("INBOX.Rechnungen.2024", "Rechnungen.2024", found=12, copied=3, gone=4, duplicate=5),
)
FEW: Final = (
    FolderTally("INBOX", "INBOX", found=1_204, copied=1_204, copied_bytes=61_000_000),
    FolderTally("Sent Items", "Sent", found=1, copied=1, copied_bytes=20_000),
)
PART: Final = (FolderTally("INBOX", "INBOX", found=400, copied=88, copied_bytes=61_000_000),)
REFUSALS: Final = tuple(
    Refusal(
        ImportId("one"),
        folder,
        UidValidity(1),
        Uid(n),
        why,
        date=date,
        subject=subject,
        size_bytes=size_bytes,
    )
    for n, (folder, why, date, subject, size_bytes) in enumerate(
        [
            ("INBOX", Text("too_large", size="25 MB"), "2020-05-05", "Bilder vom Sommer", 61_000_000),
            (
                f"INBOX.{LONG}",
                Text("other.words", words="[LIMIT] " + "x" * 120),
                "2020-05-05",
                "W" * 120,
                123_456_789,
            ),
        ],
        start=1,
    )
)
WRONG: Final = Problem(Text("login_rejected", host="imap.old.example"), Side.SOURCE, "AUTHENTICATIONFAILED")
FULL: Final = Problem(
    Text("destination_full.waits", steps=None, until=NOW + timedelta(days=14)),
    Side.DESTINATION,
    "NO [OVERQUOTA] Quota exceeded",
)
CUTOVER: Final = Problem(
    Text(
        "awaiting_cutover.not_moved",
        domain="old.example",
        mx="mx1.new.example, mx2.new.example",
        seen="mx-in-the-old-datacentre.mail.old.example",
        until=NOW + timedelta(days=21),
    ),
    None,
)


def mails(language: str, brand: Brand = PLAIN) -> dict[str, str]:
    """The HTML of one mail of each kind, by a name of it."""
    sender = "Mailhaul <mailhaul@new.example>"
    composer = TemplateComposer(sender, b"k" * 32, language, brand=brand, public_url=PAGES)

    def completion(state: State, *tallies: FolderTally, long: bool = False, **facts: Any) -> str:
        voice, refusals = facts.pop("voice", MailVoice.OWN), facts.pop("refusals", ())
        report = Report(_import(language, state, long=long, **facts), tallies, refusals)
        [notice] = composer.completion(report, [MailReader(SUBMITTER, voice)], NOW, PAGES)
        return notice.html

    def invitation(side: Side = Side.SOURCE, mail: int = 1) -> str:
        import_ = _import(language, State.WAITING, long=side is Side.DESTINATION)
        link = f"{PAGES}/consent/{'k7Qx' * 11}"
        asked = Invitation(import_, side, "Google", link, NOW + timedelta(days=13), mail)
        [notice] = composer.invitation(asked, NOW)
        return notice.html

    def batch(*reports: Report, so_far: bool = False) -> str:
        ids = tuple(report.import_.id for report in reports)
        submitted = Batch(
            BatchId("b"), NOW, "umzug-der-verwaltung.csv", SUBMITTER, ids, "x", language=language
        )
        [notice] = composer.batch_summary(BatchReport(submitted, reports), NOW, PAGES, so_far=so_far)
        return notice.html

    done = [Report(_import(language, State.COMPLETE, name=f"p{n}"), FEW) for n in range(3)]
    stopped = Report(_import(language, State.STOPPED, name="s", problem=WRONG), PART)
    gaps = Report(_import(language, State.INCOMPLETE, name="g", long=True), TALLIES, REFUSALS)
    follows = Report(_import(language, State.WAITING, name="w", problem=CUTOVER), FEW)
    return {
        "complete": completion(State.COMPLETE, *FEW),
        "gaps": completion(State.INCOMPLETE, *TALLIES, refusals=REFUSALS, long=True),
        "stopped": completion(State.STOPPED, problem=WRONG),
        "full": completion(State.WAITING, *PART, problem=FULL),
        "full-owner": completion(State.WAITING, *PART, problem=FULL, voice=MailVoice.OWNER),
        "failed": completion(State.FAILED, *PART, voice=MailVoice.SUBMITTER),
        "cancelled": completion(State.CANCELLED, *PART),
        "cutover": completion(State.WAITING, *FEW, problem=CUTOVER),
        "cutover-owner": completion(State.WAITING, *FEW, problem=CUTOVER, voice=MailVoice.OWNER),
        "invitation": invitation(),
        "reminder": invitation(mail=2),
        "invitation-new": invitation(Side.DESTINATION),
        "batch": batch(*done, stopped, gaps, follows),
        "batch-so-far": batch(*done, stopped, so_far=True),
        "batch-complete": batch(*done),
    }


def a_report(language: str, state: State, problem: Problem) -> Report:
    """The report of an import that has that problem and copied nothing."""
    return Report(_import(language, state, problem=problem), (), ())


def _import(
    language: str, state: State, *, name: str = "one", long: bool = False, problem: Problem | None = None
) -> Import:
    def account(where: str) -> Account:
        address = LONG_ADDRESS.format(where) if long else f"ada.{name}@{where}.example"
        return Account(address, address, Endpoint(f"imap.{where}.example"))

    import_ = Import(ImportId(name), account("old"), account("new"), NOW, state=state, language=language)
    return replace(
        import_,
        batch_id=BatchId("b"),
        submitter=SUBMITTER,
        problem=problem,
        started_at=NOW,
        finished_at=NOW + timedelta(hours=1, minutes=1),
        row=2 if long else 1,
    )
