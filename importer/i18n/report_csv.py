"""The refusals and changes of imports as a CSV file for spreadsheets.

Invariant: no cell is a formula, whatever the subject of a message contains. A cell that starts like a formula
gets an apostrophe in front (OWASP, "CSV Injection", read 2026-11). Spreadsheets in many languages split at
characters other than the comma, so the same applies after each of these. Each cell is a single line.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Final

from importer.domain.reporting.csv_cell import cell
from importer.domain.reporting.report import Report
from importer.i18n.change_texts import change_texts
from importer.i18n.reason_texts import reason
from importer.i18n.translations import CatalogTranslator

COLUMNS: Final = (
    "import",
    "source",
    "destination",
    "folder",
    "date",
    "subject",
    "size_bytes",
    "reason",
    "messages",
    "code",
)
CHANGED: Final = "changed_"
"""Prefix of the codes of messages that were copied and changed."""


def refusals_csv(texts: CatalogTranslator, reports: Iterable[Report]) -> str:
    """One line for each message that could not be copied, and for each folder that could not be opened
    (without date and subject; `messages` is 0 if their number is unknown). Then one line for each kind of
    change in a folder: its code is CHANGED and the kind. RFC 4180 with comma and CRLF, for UTF-8."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for report in reports:
        import_ = report.import_
        for refusal in report.refusals:
            cells = (
                import_.id,
                import_.source.address,
                import_.destination.address,
                refusal.folder,
                refusal.date,
                refusal.subject,
            )
            size_bytes = refusal.size_bytes if refusal.uid is not None else ""
            writer.writerow(
                [
                    *map(cell, cells),
                    size_bytes,
                    cell(reason(texts, refusal.reason)),
                    refusal.count,
                    refusal.code.value,
                ]
            )
        for tally in report.tallies:
            for kind, sentence in change_texts(texts, tally.changes).items():
                mailboxes = (import_.id, import_.source.address, import_.destination.address)
                cells = (*mailboxes, tally.source_folder, "", "")
                writer.writerow(
                    [*map(cell, cells), "", cell(sentence), tally.changes[kind], f"{CHANGED}{kind}"]
                )
    return out.getvalue()
