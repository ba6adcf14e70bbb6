"""The template of an import file, in the reader's language: as CSV with the separator that spreadsheets of
that language take, and as an Excel workbook whose cells are text.

Excel reads a CSV file as UTF-8 only if there is a byte order mark.
"""

from __future__ import annotations

import csv
import io
from typing import Final

from importer.domain.csv_import.column_names import (
    OPTIONAL_COLUMNS,
    PASSWORD_COLUMNS,
    USUAL_COLUMNS,
    name_in,
    separator,
)
from importer.domain.csv_import.import_rows import BATCH_ROWS
from importer.domain.import_options import OPTIONS
from importer.i18n.translations import CatalogTranslator
from providers.sign_in_providers import SIGN_IN_PROVIDERS

FORMATTED_ROWS: Final = 100
_WIDTH: Final = 32  # of a column, in characters


def _is_rare(column: str) -> bool:
    """Whether the template omits the column."""
    return column in OPTIONS and OPTIONS[column].for_many


def csv_template(texts: CatalogTranslator) -> bytes:
    """The template as CSV. English is ASCII; the others have a byte order mark."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=separator(texts.language), lineterminator="\n")
    writer.writerow(name_in(texts.language, column) for column in USUAL_COLUMNS)
    for text in _hints(texts):
        writer.writerow([f"# {text}"])
    content = out.getvalue()
    return content.encode() if content.isascii() else content.encode("utf-8-sig")


def workbook_template(texts: CatalogTranslator) -> bytes:
    """The template as an Excel workbook (.xlsx). Its cells are formatted as text, so that passwords are
    stored as typed; the hints are on a separate sheet."""
    # Not at the top: openpyxl takes a third of a second to import.
    from openpyxl import Workbook  # noqa: PLC0415
    from openpyxl.styles import Font  # noqa: PLC0415
    from openpyxl.utils import get_column_letter  # noqa: PLC0415

    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = texts.gettext("Mailboxes")
    for number, column in enumerate(USUAL_COLUMNS, start=1):
        sheet.cell(1, number, name_in(texts.language, column)).font = Font(bold=True)
        dimension = sheet.column_dimensions[get_column_letter(number)]
        dimension.width = _WIDTH
        dimension.number_format = "@"
        for line in range(2, FORMATTED_ROWS + 2):
            sheet.cell(line, number).number_format = "@"
    sheet.freeze_panes = "A2"
    hints = book.create_sheet(texts.gettext("Hints"))
    hints.column_dimensions["A"].width = 4 * _WIDTH
    for line, text in enumerate(_hints(texts), start=1):
        hints.cell(line, 1, text)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _hints(texts: CatalogTranslator) -> list[str]:
    """Instructions for filling in the template."""
    language = texts.language
    password = " / ".join(name_in(language, name) for name in USUAL_COLUMNS if name in PASSWORD_COLUMNS)
    return [
        texts.gettext(
            "One line for each mailbox; %(rows)s lines make a batch. Lines that begin with # are not read.",
            rows=BATCH_ROWS,
        ),
        texts.gettext(
            "%(column)s: may stay empty; the server is found from the address.",
            column=name_in(language, "source_server"),
        ),
        texts.gettext(
            "%(columns)s: leave empty where the owner signs in (%(hosts)s). Many hosts want an app password.",
            columns=password,
            hosts=", ".join(provider.name for provider in SIGN_IN_PROVIDERS.values()),
        ),
        texts.gettext(
            "Further columns, if needed: %(columns)s.",
            columns=", ".join(
                name_in(language, column) for column in OPTIONAL_COLUMNS if not _is_rare(column)
            ),
        ),
        texts.gettext("Format the columns as text, so that passwords made of digits stay as they are."),
    ]
