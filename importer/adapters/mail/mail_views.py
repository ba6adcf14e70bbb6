"""The contents of mails as values; templates only lay them out.

All untrusted text is sanitised here, with `printable` and `unlinked`, and nowhere else. Lists are cut so that
the mail stays small (Gmail clips mails of more than 102 kB); omitted entries are counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

from importer.domain.model import Import, State
from importer.domain.people.mail_recipients import MailVoice
from importer.domain.receipts.folder_tally import FolderTally, Refusal, RefusalCode
from importer.domain.reporting.batch_overview import Standing, counts, in_order
from importer.domain.reporting.formatting import hosts_in, printable, unlinked
from importer.domain.reporting.refusal_classes import RefusalClass, refusals_by_class
from importer.domain.reporting.report import BatchReport, Report
from importer.domain.reporting.totals import Totals
from importer.i18n.advised_pages import advised_pages
from importer.i18n.alert_texts import alert_texts
from importer.i18n.change_texts import remarks
from importer.i18n.explanation_texts import kept_text
from importer.i18n.folder_names import ShownFolders, folder_name
from importer.i18n.option_texts import chosen_options, word_sentences
from importer.i18n.outcome_texts import batch_text, outcome_text
from importer.i18n.reason_texts import reason
from importer.i18n.refusal_lists import refusal_lists
from importer.i18n.translations import N_, CatalogTranslator
from importer.ports.notices import Invitation
from providers.errors import Side
from providers.frozen import frozen

MAX_REFUSALS: Final = 50
MAX_FOLDERS: Final = 60
_MAX_REASONS: Final = 12
_MAX_NAME_CHARS: Final = 100
_MAX_SUBJECT_CHARS: Final = 120
_MAX_SENTENCES_CHARS: Final = 1000
_PLAIN_FILE: Final = re.compile(r"[\w -]+\.(csv|tsv|txt|xlsx)", re.IGNORECASE)
_TOLD_TO_OWNERS: Final = frozenset({"destination_full", "awaiting_cutover"})


@frozen
class Sums:
    """The tally of a mailbox or a folder. `skipped` holds (reason, messages) pairs that add up to
    `skipped_total`. `never_seen` messages were sent by an earlier import and are not `not_copied`."""

    found: int
    copied: int
    present: int
    gone: int
    duplicate: int
    skipped: tuple[tuple[str, int], ...]
    skipped_total: int
    not_copied: int
    never_seen: int
    still_to_do: int
    size: str

    @classmethod
    def of(cls, totals: Totals, texts: CatalogTranslator, never_seen: int) -> Sums:
        reasons = [(printable(reason(texts, why)), number) for why, number in totals.skipped.items()]
        shown, rest = reasons[:_MAX_REASONS], sum(number for _, number in reasons[_MAX_REASONS:])
        return cls(
            found=totals.found,
            copied=totals.copied,
            present=totals.present,
            gone=totals.gone,
            duplicate=totals.duplicate,
            skipped=(*shown, (texts.gettext("other reasons"), rest)) if rest else tuple(shown),
            skipped_total=totals.skipped_total,
            not_copied=totals.failed - never_seen,
            never_seen=never_seen,
            still_to_do=totals.still_to_do,
            size=texts.size(totals.copied_bytes),
        )


@frozen
class FolderLine:
    """One folder of the old mailbox, its destination and its tally."""

    source: str
    destination: str
    sums: Sums

    @classmethod
    def of(
        cls,
        tally: FolderTally,
        never_seen: int,
        sources: ShownFolders,
        destinations: ShownFolders,
        texts: CatalogTranslator,
    ) -> FolderLine:
        return cls(
            unlinked(printable(sources[tally.source_folder], _MAX_NAME_CHARS)),
            unlinked(printable(destinations[tally.destination_folder], _MAX_NAME_CHARS)),
            Sums.of(Totals.of([tally]), texts, min(never_seen, tally.failed)),
        )


@frozen
class RefusalLine:
    """A refusal: a message or a whole folder, and the reason. `messages` is 0 if the number is unknown."""

    whole_folder: bool
    messages: int
    folder: str
    date: str
    subject: str
    size: str
    reason: str

    @classmethod
    def of(cls, refusal: Refusal, texts: CatalogTranslator) -> RefusalLine:
        return cls(
            whole_folder=refusal.uid is None,
            messages=refusal.count,
            folder=unlinked(printable(folder_name(texts, refusal.folder), _MAX_NAME_CHARS)),
            date=printable(texts.written_date(refusal.date), 40),
            subject=unlinked(printable(refusal.subject, _MAX_SUBJECT_CHARS)),
            size=texts.size(refusal.size_bytes) if refusal.size_bytes else "",
            reason=unlinked(printable(reason(texts, refusal.reason)), hosts_in(texts.product)),
        )


@frozen
class ReportMailView:
    """The mail about one import. `state` is the value of a State; `duration` is "" while unknown.

    `server_text` is the server's response that stopped the import. `refusals` are lists with headings.
    `folders_more` and `refusals_more` count the entries that the lists omit. `labels` is the rule for mail
    with several labels, "" if there were none; `options` are the other options that were chosen. `voice` is
    the value of a MailVoice; `who` is the address of the submitter, "" if unknown, and `link` the URL of the
    import's page, "" if the reader cannot open it.
    """

    state: str
    voice: str
    who: str
    link: str
    verdict: str
    source: str
    destination: str
    sums: Sums
    confirmed: int | None
    source_grew_by: int
    duration: str
    server_text: str
    folders: tuple[FolderLine, ...]
    folders_more: int
    refusals: tuple[tuple[str, tuple[RefusalLine, ...]], ...]
    refusals_more: int
    not_copied: bool  # whether a refusal is about something that was not copied
    labels: str
    options: tuple[str, ...]
    remarks: tuple[str, ...]
    alerts: tuple[str, ...]
    evidence: str  # SHA-256 of the evidence file, or ""
    kept: str  # until when the passwords are kept, "" if they are erased
    waits_for: str = ""  # the code of what it waits for, "" if it has ended

    @classmethod
    def of(
        cls, report: Report, texts: CatalogTranslator, voice: MailVoice = MailVoice.OWN, pages: str = ""
    ) -> ReportMailView:
        import_, totals = report.import_, report.totals
        refusals = report.refusals[:MAX_REFUSALS]
        sources = ShownFolders(texts, (tally.source_folder for tally in report.tallies))
        destinations = ShownFolders(texts, (tally.destination_folder for tally in report.tallies))
        refused_total = max(totals.failed, sum(refusal.count for refusal in report.refusals))
        never_seen = Counter(r.folder for r in report.refusals if r.code is RefusalCode.NEVER_SEEN)
        return cls(
            state=import_.state.value,
            voice=voice.value,
            who=printable(import_.submitter, _MAX_NAME_CHARS),
            link="" if voice is MailVoice.OWNER else _link_to(pages, import_),
            verdict=_verdict(report, texts, advised=voice is not MailVoice.OWNER or _concerns_owner(import_)),
            source=printable(import_.source.address, _MAX_NAME_CHARS),
            destination=printable(import_.destination.address, _MAX_NAME_CHARS),
            sums=Sums.of(totals, texts, report.never_seen),
            confirmed=totals.confirmed,
            source_grew_by=report.source_grew_by,
            duration="" if report.duration is None else texts.duration(report.duration),
            server_text=unlinked(printable(import_.problem.server_text)) if import_.problem else "",
            folders=tuple(
                FolderLine.of(tally, never_seen[tally.source_folder], sources, destinations, texts)
                for tally in report.tallies[:MAX_FOLDERS]
            ),
            folders_more=len(report.tallies[MAX_FOLDERS:]),
            refusals=tuple(
                (heading, tuple(RefusalLine.of(refusal, texts) for refusal in some))
                for heading, some in refusal_lists(texts, refusals)
            ),
            not_copied=RefusalClass.NOT_COPIED in refusals_by_class(report.refusals),
            refusals_more=refused_total - sum(refusal.count for refusal in refusals),
            labels=word_sentences(texts, "labels", import_.options.labels) if import_.has_labels else "",
            options=tuple(
                f"{title}{texts.colon} {printable(value, 400)}"
                for title, value in chosen_options(texts, import_.options)
            ),
            remarks=tuple(remarks(texts, totals)),
            evidence=report.evidence,
            alerts=tuple(
                unlinked(printable(sentence))
                for sentence in alert_texts(texts, import_.alerts, import_.source, import_.destination)
            ),
            kept=kept_text(texts, import_),
            waits_for=import_.problem.code if import_.problem and import_.state is State.WAITING else "",
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the folder table: the fields of Sums that are not 0 for the whole import."""
        return _nonzero_columns(self.sums)


@frozen
class InvitationMailView:
    """The mail that requests the owner of `mailbox` to sign in. With `into` that mailbox is the destination,
    otherwise the source. With `both` the owner of the other mailbox has to sign in, too. `submitter` is ""
    if unknown."""

    verdict: str
    provider: str
    mailbox: str
    into: bool
    both: bool
    source: str
    destination: str
    submitter: str
    link: str
    until: str
    reminder: bool

    @classmethod
    def of(cls, invitation: Invitation, texts: CatalogTranslator) -> InvitationMailView:
        import_ = invitation.import_
        source = printable(import_.source.address, _MAX_NAME_CHARS)
        destination = printable(import_.destination.address, _MAX_NAME_CHARS)
        into = invitation.side is Side.DESTINATION
        why = (
            N_(
                "The mail from %(source)s is to be copied into your mailbox %(destination)s. %(product)s"
                " needs your permission to add it: please sign in with %(provider)s once. The copy then"
                " starts automatically, and you will get another email when it is done."
            )
            if into
            else N_(
                "The mail from %(source)s is to be copied to %(destination)s. %(product)s needs your"
                " permission to read it: please sign in with %(provider)s once. The copy then starts"
                " automatically, and you will get another email when it is done."
            )
        )
        return cls(
            verdict=texts.gettext(why, source=source, destination=destination, provider=invitation.provider),
            provider=invitation.provider,
            mailbox=destination if into else source,
            into=into,
            both=invitation.both,
            source=source,
            destination=destination,
            submitter=printable(import_.submitter, _MAX_NAME_CHARS),
            link=invitation.link,
            until=texts.moment(invitation.expires_at),
            reminder=invitation.mail > 1 or invitation.asked > 0,
        )


@frozen
class BatchRow:
    """One import of a batch. `line` is its line in the CSV file, 0 if there is no file; `link` is the URL of
    its page, "" if the reader cannot open it."""

    line: int
    source: str
    destination: str
    state: str
    verdict: str
    sums: Sums
    columns: tuple[str, ...]
    link: str


@frozen
class BatchMailView:
    """The mail about a batch, the rows that need its reader first. With `so_far`, some have not ended yet."""

    name: str
    link: str
    so_far: bool
    need_you: int
    verdict: str
    mailboxes: int
    complete: int
    sums: Sums
    rows: tuple[BatchRow, ...]
    evidence: str  # SHA-256 of the evidence file, or ""

    @classmethod
    def of(
        cls, report: BatchReport, texts: CatalogTranslator, pages: str = "", *, so_far: bool = False
    ) -> BatchMailView:
        imports = [row.import_ for row in report.reports]
        return cls(
            name=_file_name(report.batch.name),
            link=f"{pages}/batches/{report.batch.id}" if pages else "",
            so_far=so_far,
            need_you=counts(imports).get(Standing.NEEDS_YOU, 0),
            verdict=printable(batch_text(texts, report), _MAX_SENTENCES_CHARS),
            mailboxes=len(report.reports),
            complete=report.states.get(State.COMPLETE, 0),
            sums=Sums.of(report.totals, texts, report.never_seen),
            rows=tuple(_batch_rows(report.reports, texts, pages)),
            evidence=report.evidence,
        )


def _batch_rows(reports: Iterable[Report], texts: CatalogTranslator, pages: str) -> Iterable[BatchRow]:
    by_id = {report.import_.id: report for report in reports}
    for import_ in in_order(report.import_ for report in by_id.values()):
        report = by_id[import_.id]
        sums = Sums.of(report.totals, texts, report.never_seen)
        yield BatchRow(
            line=import_.row,
            source=printable(import_.source.address, _MAX_NAME_CHARS),
            destination=printable(import_.destination.address, _MAX_NAME_CHARS),
            state=import_.state.value,
            verdict=_verdict(report, texts),
            sums=sums,
            columns=_nonzero_columns(sums),
            link=_link_to(pages, import_),
        )


def _file_name(name: str) -> str:
    """The name of a file, which is no link if it ends like one of a spreadsheet."""
    shown = printable(name, _MAX_NAME_CHARS)
    return shown if _PLAIN_FILE.fullmatch(shown) else unlinked(shown)


def _link_to(pages: str, import_: Import) -> str:
    return f"{pages}/imports/{import_.id}" if pages else ""


def _concerns_owner(import_: Import) -> bool:
    """Whether the advice about a problem is for the owner of the mailbox, not only for its submitter."""
    return import_.problem is not None and import_.problem.code in _TOLD_TO_OWNERS


def _verdict(report: Report, texts: CatalogTranslator, *, advised: bool = True) -> str:
    known = set(hosts_in(texts.product))  # a brand may be called like its domain
    for account in (report.import_.source, report.import_.destination):
        known |= {account.endpoint.host.lower(), account.address.rpartition("@")[2].lower()}
    verdict = outcome_text(
        texts, report.outcome, quoted=False, advised=advised
    )  # the mail shows the server's words elsewhere
    return unlinked(printable(verdict, _MAX_SENTENCES_CHARS), known, advised_pages())


def _nonzero_columns(sums: Sums) -> tuple[str, ...]:
    optional = ("present", "gone", "duplicate", "skipped_total", "not_copied", "never_seen", "still_to_do")
    return ("found", "copied", *(name for name in optional if getattr(sums, name)))
