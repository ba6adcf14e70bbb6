"""The report of an undo in plain sentences, and as JSON."""

from __future__ import annotations

from typing import Final

from importer.domain.receipts.undo_report import FolderKept, UndoReport
from importer.i18n.translations import N_, CatalogTranslator

_KEPT: Final = {
    FolderKept.NOT_EMPTY: N_("it contains mail or another folder"),
    FolderKept.NOT_OURS: N_("it may not be the folder that this import created"),
}


def undo_text(texts: CatalogTranslator, report: UndoReport) -> str:
    """The result of the undo."""
    totals = report.totals
    if not totals.added and not report.doubtful:
        return texts.gettext("The import had added nothing: there was nothing to remove.")
    sentences = [
        texts.ngettext(
            "%(removed)s of the %(num)s message that the import had added was removed.",
            "%(removed)s of the %(num)s messages that the import had added were removed.",
            totals.added,
            removed=texts.number(totals.removed),
        )
    ]
    if totals.touched:
        sentences.append(
            texts.ngettext(
                "%(num)s message left in place: read, answered or marked since.",
                "%(num)s messages left in place: read, answered or marked since.",
                totals.touched,
            )
        )
    if totals.altered:
        sentences.append(
            texts.ngettext(
                "%(num)s message left in place: the content differs from what was stored.",
                "%(num)s messages left in place: the content differs from what was stored.",
                totals.altered,
            )
        )
    if totals.unidentified:
        sentences.append(
            texts.ngettext(
                "%(num)s message left in place: can no longer be identified.",
                "%(num)s messages left in place: can no longer be identified.",
                totals.unidentified,
            )
        )
    if totals.refused:
        sentences.append(
            texts.ngettext(
                "%(num)s message left in place: the server did not remove it.",
                "%(num)s messages left in place: the server did not remove them.",
                totals.refused,
            )
        )
    if totals.gone:
        sentences.append(
            texts.ngettext(
                "%(num)s message had been deleted or moved before.",
                "%(num)s messages had been deleted or moved before.",
                totals.gone,
            )
        )
    if report.doubtful:
        sentences.append(
            texts.ngettext(
                "%(num)s message may or may not have been stored: run the import again, then undo"
                " that import.",
                "%(num)s messages may or may not have been stored: run the import again, then undo"
                " that import.",
                report.doubtful,
            )
        )
    if report.folders_removed:
        sentences.append(
            texts.ngettext(
                "Also removed: %(num)s empty folder created by the import.",
                "Also removed: %(num)s empty folders created by the import.",
                len(report.folders_removed),
            )
        )
    return " ".join(sentences)


def kept_text(texts: CatalogTranslator, why: FolderKept) -> str:
    """The reason why a folder stays, as a part of a sentence."""
    return texts.gettext(_KEPT[why])


def undo_json(texts: CatalogTranslator, report: UndoReport) -> dict[str, object]:
    """Keys are stable; new ones may be added."""
    return {
        "id": report.import_id,
        "at": report.at.isoformat(),
        "verdict": undo_text(texts, report),
        "adds_up": report.adds_up,
        "totals": {name: value for name, value in report.totals.as_json().items() if name != "folder"},
        "folders": [folder.as_json() for folder in report.folders],
        "folders_removed": list(report.folders_removed),
        "folders_kept": [
            {"folder": name, "code": why.value, "reason": kept_text(texts, why)}
            for name, why in report.folders_kept
        ],
        "doubtful": report.doubtful,
    }
