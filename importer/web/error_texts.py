"""Error messages in the reader's language: for mail hosts, rows of a file and fields of a form.

An error without a translated sentence here is shown in English, as the use case words it.
"""

from __future__ import annotations

from typing import Final

from importer.domain.csv_import.csv_cells import Refused
from importer.domain.csv_import.csv_reader import RowProblem
from importer.domain.reporting.formatting import printable
from importer.i18n.problem_texts import by_code
from importer.i18n.translations import N_, CatalogTranslator
from importer.service.access.rate_limits import RateLimited
from providers.errors import MailError

_BY_RULE: Final = {
    "address_missing": N_("The email address is missing."),
    "address_invalid": N_("This is not an email address. Enter one such as ada@old.example."),
    "server_invalid": N_("This is not the name of a mail server. Enter one such as imap.old.example."),
    "password_in_server": N_("The server name contains a password. Enter the password in its own field."),
    "password_missing": N_("The password is missing."),
    "server_unknown": N_("The mail server of this address could not be found. Enter it yourself."),
    "cell_too_long": N_("This is too long. Check that quotation marks come in pairs."),
    "control_character": N_("This contains a line break or another control character. Remove it."),
    "destination_server_missing": N_("The server of the new mailbox is missing."),
    "not_text": N_("The file is not readable text. Save it as “CSV UTF-8” and choose that file."),
    "no_rows": N_("The file contains no rows. Write one line for each mailbox."),
    "labels_invalid": N_("This is not a valid choice for labels. Use one, keywords or each."),
    "yes_no_invalid": N_("This must be yes or no."),
    "too_many_rows": N_("The file has more than 25 rows. Submit the rest as a second file."),
    "same_mailbox": N_("The old and the new mailbox are the same."),
    "duplicate_row": N_("An earlier line already requests the same import. Remove one of them."),
    "missing_column": N_("A column is missing. Copy the first line from the template."),
    "unknown_column": N_("This column is unknown. Copy the first line from the template."),
    "repeated_column": N_("This column appears twice. Remove one of them."),
    "header_missing": N_("The first line must name the columns. Copy it from the template."),
    "destination_elsewhere": N_("New mailboxes must be at %(host)s."),
    "batch_right_missing": N_("You do not administer this domain: enter the password of the mailbox."),
    "master_elsewhere": N_("Without its password, a new mailbox must be at %(host)s."),
    "master_address": N_("Only plain addresses work without a password. Enter the password of this mailbox."),
    "master_login": N_("Without a password, the login must be the address. Remove the login."),
}


def mail_problem(texts: CatalogTranslator, error: MailError, host: str) -> str:
    """Why the login at a mail host failed."""
    return by_code(texts, error.code, str(error), host)


def rate_limited(texts: CatalogTranslator, error: RateLimited) -> str:
    """That the rate limit is exceeded, and how long to wait."""
    if error.seconds < 60:
        return texts.ngettext(
            "Too many attempts. Wait %(num)s second, then try again.",
            "Too many attempts. Wait %(num)s seconds, then try again.",
            error.seconds,
        )
    return texts.ngettext(
        "Too many attempts. Wait %(num)s minute, then try again.",
        "Too many attempts. Wait %(num)s minutes, then try again.",
        -(-error.seconds // 60),
    )


def cell_problem(texts: CatalogTranslator, refused: Refused) -> str:
    """The problem of one form field."""
    message = _BY_RULE.get(refused.rule)
    return texts.gettext(message) if message else f"{refused} {refused.fix}"


def row_problem(texts: CatalogTranslator, problem: RowProblem, host: str) -> str:
    """The problem of one cell of a file."""
    message = _BY_RULE.get(problem.rule)
    if message is None:
        return printable(f"{problem.message} {problem.fix}", 400)
    return texts.gettext(message, host=host) if "%(" in message else texts.gettext(message)
