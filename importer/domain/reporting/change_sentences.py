"""What was changed about copied messages, in plain sentences: one for each kind of change."""

from __future__ import annotations

from collections.abc import Mapping

from importer.domain.model import ChangeKind
from importer.domain.reporting.formatting import English, Translator


def change_sentences(changes: Mapping[str, int], say: Translator | None = None) -> dict[str, str]:
    """Kind -> sentence in the language of `say`, for each kind that occurs, in the order of ChangeKind."""
    say = say or English()
    return {kind.value: _sentence(kind, changes[kind], say) for kind in ChangeKind if changes.get(kind)}


def _sentence(kind: ChangeKind, number: int, say: Translator) -> str:  # noqa: PLR0911 - one for each kind
    match kind:
        case ChangeKind.DATE_FROM_FIELD:
            return say.ngettext(
                "%(num)s message had no date that mail servers keep (none, or one outside 1970 to tomorrow):"
                " it got the date in its header.",
                "%(num)s messages had no date that mail servers keep (none, or one outside 1970 to tomorrow):"
                " they got the date in their header.",
                number,
            )
        case ChangeKind.DATE_UNKNOWN:
            return say.ngettext(
                "%(num)s message had no usable date, not even in its header: it got 1 January 1970.",
                "%(num)s messages had no usable date, not even in their header: they got 1 January 1970.",
                number,
            )
        case ChangeKind.DATE_MOVED:
            return say.ngettext(
                "%(num)s message has the date 1 January 1970, 00:00:00, which some servers replace by"
                " today: it got one second more.",
                "%(num)s messages have the date 1 January 1970, 00:00:00, which some servers replace by"
                " today: they got one second more.",
                number,
            )
        case ChangeKind.LINE_ENDS:
            return say.ngettext(
                "%(num)s message had line ends that mail servers do not accept (LF): they became CRLF.",
                "%(num)s messages had line ends that mail servers do not accept (LF): they became CRLF.",
                number,
            )
        case ChangeKind.DATE_NOT_KEPT:
            return say.ngettext(
                "The new server did not keep the date of %(num)s message.",
                "The new server did not keep the dates of %(num)s messages.",
                number,
            )
        case ChangeKind.NUL_REPLACED:
            return say.ngettext(
                "The new server replaced NUL characters in %(num)s message.",
                "The new server replaced NUL characters in %(num)s messages.",
                number,
            )
        case ChangeKind.HEADER_8BIT:
            return say.ngettext(
                "The new server replaced 8-bit characters in the header of %(num)s message.",
                "The new server replaced 8-bit characters in the headers of %(num)s messages.",
                number,
            )
        case ChangeKind.LAST_LINE_ENDED:
            return say.ngettext(
                "The new server added a line end at the end of %(num)s message.",
                "The new server added a line end at the end of %(num)s messages.",
                number,
            )
        case ChangeKind.BARE_CR:
            return say.ngettext(
                "The new server changed carriage returns in %(num)s message.",
                "The new server changed carriage returns in %(num)s messages.",
                number,
            )
        case ChangeKind.CONTENT:
            return say.ngettext(
                "The new server changed the content of %(num)s message.",
                "The new server changed the content of %(num)s messages.",
                number,
            )
        case ChangeKind.UNCHECKED:
            return say.ngettext(
                "%(num)s message that some servers change could not be checked in the new mailbox.",
                "%(num)s messages that some servers change could not be checked in the new mailbox.",
                number,
            )
