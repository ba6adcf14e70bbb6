"""A report's remarks about messages besides their numbers, in plain sentences, shared by all front ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from importer.domain.receipts.receipt import ChangeKind
from importer.domain.reporting.totals import Totals
from importer.i18n.translations import CatalogTranslator


def remarks(texts: CatalogTranslator, totals: Totals) -> Iterator[str]:
    """Remarks for the console, pages and mails: lost keywords; recognised, changed and updated messages."""
    if totals.keywords_dropped:
        yield texts.ngettext(
            "%(num)s keyword (colours or tags) could not be kept: the new mailbox does not store them. The"
            " messages themselves are unchanged.",
            "%(num)s keywords (colours or tags) could not be kept: the new mailbox does not store them. The"
            " messages themselves are unchanged.",
            totals.keywords_dropped,
        )
    if totals.recognised:
        yield texts.ngettext(
            "%(num)s message was already there and recognised, though changed by another program.",
            "%(num)s messages were already there and recognised, though changed by another program.",
            totals.recognised,
        )
    yield from change_texts(texts, totals.changes).values()
    if totals.flags_updated:
        yield texts.ngettext(
            "The flags of %(num)s previously copied message were updated to match the old mailbox.",
            "The flags of %(num)s previously copied messages were updated to match the old mailbox.",
            totals.flags_updated,
        )


def change_texts(texts: CatalogTranslator, changes: Mapping[str, int]) -> dict[str, str]:
    """Kind -> sentence, for each kind that occurs, in the order of ChangeKind."""
    return {kind.value: _sentence(texts, kind, changes[kind]) for kind in ChangeKind if changes.get(kind)}


def _sentence(texts: CatalogTranslator, kind: ChangeKind, number: int) -> str:  # noqa: PLR0911, PLR0912 - one for each kind
    match kind:
        case ChangeKind.DATE_FROM_FIELD:
            return texts.ngettext(
                "%(num)s message had no date that mail servers keep (none, or one outside 1970 to tomorrow):"
                " it got the date in its header.",
                "%(num)s messages had no date that mail servers keep (none, or one outside 1970 to tomorrow):"
                " they got the date in their header.",
                number,
            )
        case ChangeKind.DATE_UNKNOWN:
            return texts.ngettext(
                "%(num)s message had no usable date, not even in its header: it got 1 January 1970.",
                "%(num)s messages had no usable date, not even in their header: they got 1 January 1970.",
                number,
            )
        case ChangeKind.DATE_MOVED:
            return texts.ngettext(
                "%(num)s message has the date 1 January 1970, 00:00:00, which some servers replace by"
                " today: it got one second more.",
                "%(num)s messages have the date 1 January 1970, 00:00:00, which some servers replace by"
                " today: they got one second more.",
                number,
            )
        case ChangeKind.LINE_ENDS:
            return texts.ngettext(
                "%(num)s message had line ends that mail servers do not accept (LF): they became CRLF.",
                "%(num)s messages had line ends that mail servers do not accept (LF): they became CRLF.",
                number,
            )
        case ChangeKind.DATE_NOT_KEPT:
            return texts.ngettext(
                "The new server did not keep the date of %(num)s message.",
                "The new server did not keep the dates of %(num)s messages.",
                number,
            )
        case ChangeKind.NUL_REPLACED:
            return texts.ngettext(
                "The new server replaced NUL characters in %(num)s message.",
                "The new server replaced NUL characters in %(num)s messages.",
                number,
            )
        case ChangeKind.HEADER_8BIT:
            return texts.ngettext(
                "The new server replaced 8-bit characters in the header of %(num)s message.",
                "The new server replaced 8-bit characters in the headers of %(num)s messages.",
                number,
            )
        case ChangeKind.LAST_LINE_ENDED:
            return texts.ngettext(
                "The new server added a line end at the end of %(num)s message.",
                "The new server added a line end at the end of %(num)s messages.",
                number,
            )
        case ChangeKind.BARE_CR:
            return texts.ngettext(
                "The new server changed carriage returns in %(num)s message.",
                "The new server changed carriage returns in %(num)s messages.",
                number,
            )
        case ChangeKind.CONTENT:
            return texts.ngettext(
                "The new server changed the content of %(num)s message.",
                "The new server changed the content of %(num)s messages.",
                number,
            )
        case ChangeKind.FLAGS_NOT_KEPT:
            return texts.ngettext(
                "The new server did not keep the flags (read, answered, starred) of %(num)s message.",
                "The new server did not keep the flags (read, answered, starred) of %(num)s messages.",
                number,
            )
        case ChangeKind.MOVED:
            return texts.ngettext(
                "%(num)s copied message was found in another folder of the new mailbox: a filter or another"
                " program may have moved it there.",
                "%(num)s copied messages were found in other folders of the new mailbox: a filter or another"
                " program may have moved them there.",
                number,
            )
        case ChangeKind.UNCHECKED:
            return texts.ngettext(
                "%(num)s message that some servers change could not be checked in the new mailbox.",
                "%(num)s messages that some servers change could not be checked in the new mailbox.",
                number,
            )
