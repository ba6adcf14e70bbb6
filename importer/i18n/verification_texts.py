"""The result of a verification in plain sentences, and as JSON."""

from __future__ import annotations

from importer.domain.reporting.verification import Compared, ComparedAs, Verification
from importer.i18n.translations import CatalogTranslator


def count_texts(texts: CatalogTranslator, result: Verification) -> list[str]:
    """The number of compared messages, then the number of each finding that occurs."""
    sentences = [
        texts.ngettext(
            "%(compared)s of %(num)s message in the old mailbox was read on both sides and compared.",
            "%(compared)s of %(num)s messages in the old mailbox were read on both sides and compared.",
            result.listed,
            compared=texts.number(result.compared),
        )
    ]
    sentences += [
        texts.counted(finding_text(texts, finding), result.counts[finding])
        for finding in ComparedAs
        if result.counts[finding]
    ]
    if result.source_gone:
        sentences.append(
            texts.ngettext(
                "%(num)s message that was copied is no longer in the old mailbox and cannot be compared.",
                "%(num)s messages that were copied are no longer in the old mailbox and cannot be compared.",
                result.source_gone,
            )
        )
    if result.unread_folders:
        sentences.append(
            texts.ngettext(
                "%(num)s folder of the old mailbox could not be opened, so nothing in it was compared.",
                "%(num)s folders of the old mailbox could not be opened, so nothing in them was compared.",
                result.unread_folders,
            )
        )
    return sentences


def compared_text(texts: CatalogTranslator, one: Compared) -> str:
    """One finding, with the places of the message."""
    old = f"{one.source_folder} · UID {one.source_uid}"
    new = f"{one.destination_folder} · UID {one.destination_uid}" if one.destination_uid else ""
    places = " → ".join(filter(None, (old, new)))
    return f"{places}{texts.colon} {finding_text(texts, one.finding)}"


def finding_text(texts: CatalogTranslator, finding: ComparedAs) -> str:  # noqa: PLR0911 - one for each
    """The meaning of the finding for a message."""
    match finding:
        case ComparedAs.SAME:
            return texts.gettext("The same on both sides")
        case ComparedAs.KNOWN_FORM:
            return texts.gettext("The same, in a form that another program or a server is known to make")
        case ComparedAs.CONTENT:
            return texts.gettext("Other content in the new mailbox")
        case ComparedAs.FLAGS:
            return texts.gettext("Other flags in the new mailbox")
        case ComparedAs.DATE:
            return texts.gettext("Another date in the new mailbox")
        case ComparedAs.MOVED:
            return texts.gettext("The same, in another folder of the new mailbox")
        case ComparedAs.REMOVED:
            return texts.gettext("No longer in the new mailbox: removed by its owner, perhaps")
        case ComparedAs.LEFT_OUT:
            return texts.gettext("Left out by the import")
        case ComparedAs.FAILED:
            return texts.gettext("Could not be copied by the import")
        case ComparedAs.NOT_COPIED:
            return texts.gettext("Not copied: the import has not reached it, or was undone")
        case ComparedAs.NEW:
            return texts.gettext("New in the old mailbox since the import")
        case ComparedAs.UNREADABLE:
            return texts.gettext("Could not be read on one of the two sides")


def verification_json(texts: CatalogTranslator, result: Verification) -> dict[str, object]:
    """`{agrees, listed, compared, source_gone, unread_folders, counts: {finding: n}, differences: [...]}`;
    `differences` has the first thousand findings other than `same` and `known_form`."""
    return {
        "agrees": result.agrees,
        "listed": result.listed,
        "compared": result.compared,
        "source_gone": result.source_gone,
        "unread_folders": result.unread_folders,
        "counts": {finding.value: result.counts[finding] for finding in ComparedAs if result.counts[finding]},
        "differences": [
            {**one._asdict(), "finding": one.finding.value, "sentence": compared_text(texts, one)}
            for one in result.differences
        ],
    }
