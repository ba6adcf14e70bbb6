"""A file of imports, one of its rows or cells, or a field of a form is not valid. The advice is the fix.

No parameter contains an invalid cell: it may be a password in the wrong column.
"""

from __future__ import annotations

from typing import Final

from providers.text import TextRow

_FIRST_LINE: Final = "Make the first line: %(header)s"
_QUOTES: Final = "Put the whole cell in quote marks, and write each quote mark inside it twice."
_TEXT_FILE: Final = "Save it as “CSV UTF-8” and use that file."
_ADDRESS: Final = "Write the bare address, such as ada@old.example."
_SERVER: Final = (
    "Write a name such as imap.old.example or imaps://imap.old.example:993, or leave the cell empty."
)
_WRITE_PASSWORD: Final = "Write the password."  # noqa: S105 - a sentence

_FILE: Final = (
    TextRow(
        "file_too_large",
        "The file has %(bytes)s bytes; the limit is %(limit)s.",
        "Split it into several files.",
    ),
    TextRow("not_text", "The file is not readable text.", _TEXT_FILE),
    TextRow(
        "not_text.workbook",
        "This is a workbook (Excel, LibreOffice or Numbers) that cannot be read here.",
        "Open it, save it as an Excel workbook (.xlsx) without a password or as “CSV UTF-8”, and use that file.",
    ),
    TextRow(
        "formulas_without_results",
        "The workbook has formulas without their results.",
        "Open it in Excel or LibreOffice, save it, and use that file.",
    ),
    TextRow(
        "rows_on_other_sheets",
        "The workbook has mailboxes on several sheets.",
        "Put all of them on one sheet, and hide each sheet that is not meant.",
    ),
    TextRow("not_text.nul", "There is a NUL character here, so this is not a text file.", _TEXT_FILE),
    TextRow("quotes", "There is text between a closing quote mark and the end of its cell.", _QUOTES),
    TextRow("quotes.unclosed", "A quote mark that opens a cell here is never closed.", _QUOTES),
    TextRow("quotes.too_long", "A cell that starts here is far too long.", _QUOTES),
    TextRow("header_missing", "The first line does not name the columns.", _FIRST_LINE),
    TextRow("header_missing.empty", "The file is empty.", _FIRST_LINE),
    TextRow(
        "row_above_header",
        "This row stands above the names of the columns, which are in line %(header)s.",
        "Move the names of the columns to the first line.",
    ),
    TextRow(
        "unknown_column",
        "The column “%(name)s” is unknown.",
        "Call it %(column)s if that is meant; otherwise remove it.",
    ),
    TextRow("unknown_column.unnamed", "A column with content has no name.", _FIRST_LINE),
    TextRow(
        "repeated_column",
        ("The column %(name)s occurs %(num)s time.", "The column %(name)s occurs %(num)s times."),
        "Remove all but one of them.",
    ),
    TextRow("missing_column", "The column %(name)s is missing.", _FIRST_LINE),
    TextRow("password_first", "The first column must not be a password.", "Put source_address first."),
    TextRow(
        "cell_count",
        "The line has %(cells)s cells, but the header names %(columns)s columns.",
        "Put quote marks around each cell that contains the separating character, and write an empty cell for a"
        " server that you leave out.",
    ),
    TextRow(
        "cell_count.shifted",
        "The cells of the line are shifted: there is an address in the column of a password.",
    ),
    TextRow(
        "no_rows",
        "There is no row in the file.",
        "Write one line for each mailbox, below the names of the columns.",
    ),
    TextRow(
        "too_many_rows",
        "The file has %(rows)s rows; the limit is %(limit)s.",
        "Submit it as several files, or with --split at the console.",
    ),
)

_CELLS: Final = (
    TextRow("address_missing", "The address is missing.", "Write the whole mail address."),
    TextRow("address_invalid", "This is not a mail address.", _ADDRESS),
    TextRow("address_invalid.no_at", "This is not a mail address: it contains no @.", _ADDRESS),
    TextRow("address_invalid.ats", "This is not a mail address: it contains more than one @.", _ADDRESS),
    TextRow(
        "address_invalid.blank",
        "This is not a mail address: it contains a blank or an invisible character (%(character)s).",
        _ADDRESS,
    ),
    TextRow("write_address", "Write %(address)s, if that is the address."),
    TextRow("address_invalid.local", "This is not a mail address: there is nothing before the @.", _ADDRESS),
    TextRow(
        "address_invalid.character",
        "This is not a mail address: there is an invalid character before the @.",
        _ADDRESS,
    ),
    TextRow(
        "address_invalid.domain",
        "This is not a mail address: the part after the @ is not a domain.",
        _ADDRESS,
    ),
    TextRow(
        "password_in_server", "There is a password in the server address.", "Write it in its own column."
    ),
    TextRow("server_invalid", "This is not a usable mail server.", _SERVER),
    TextRow("server_invalid.address", "This is a mail address, not a mail server.", _SERVER),
    TextRow("server_invalid.short", "This is not the full name of a mail server.", _SERVER),
    TextRow("server_invalid.name", "This is not the name of a mail server.", _SERVER),
    TextRow(
        "password_missing",
        "The password is missing.",
        "Write the password of this mailbox, or an app password created at its host.",
    ),
    TextRow(
        "cell_too_long",
        "There are %(length)s characters here; the limit is %(limit)s.",
        "Check that the quote marks around the cells of this line are paired.",
    ),
    TextRow(
        "control_character",
        "There is a line break, a tab or another control character here.",
        "Remove it; copied text often contains such characters.",
    ),
    TextRow("labels_invalid", "This is not one of the choices.", "Write one, keywords or each."),
    TextRow("spam_and_trash_invalid", "This is not one of the choices.", "Write copy or skip."),
    TextRow("since_invalid", "This is not a date.", "Write it as 2024-01-31, or all."),
    TextRow("follow_until_invalid", "This is not a date.", "Write it as 2026-12-31, or no."),
    TextRow(
        "cutover_mx_invalid",
        "These are not names of mail exchangers.",
        "Write names such as mx1.example.net, separated by commas, or destination.",
    ),
    TextRow(
        "folder_pattern_empty",
        "Pattern %(pattern)s has no name.",
        "Write a folder, such as INBOX or !Work/Old.",
    ),
    TextRow(
        "folder_pattern_quotes",
        "A quote mark of pattern %(pattern)s is not paired.",
        'Write such a folder as "Smith, John".',
    ),
    TextRow(
        "folder_pattern_slash",
        "Pattern %(pattern)s begins or ends with /.",
        "Write Work for a folder, Work/* for those in it.",
    ),
    TextRow("yes_no_invalid", "This is neither yes nor no.", "Write yes or no."),
)

_NOTES: Final = (
    TextRow(
        "spreadsheet_trace",
        "A spreadsheet may have changed this.",
        "Compare it with the original; it is used as it is in the file.",
    ),
    TextRow(
        "spreadsheet_trace.number",
        "A spreadsheet may have changed this: numbers lose zeros at both ends, and digits after the 15th.",
    ),
    TextRow(
        "spreadsheet_trace.scientific",
        "A spreadsheet may have changed this: it is a long number, shortened to a power of ten.",
    ),
    TextRow("spreadsheet_trace.date", "A spreadsheet may have changed this: it looks like a date or a time."),
    TextRow(
        "spreadsheet_trace.boolean", "A spreadsheet may have changed this: it looks like “true” or “false”."
    ),
    TextRow(
        "spreadsheet_trace.error",
        "A spreadsheet may have changed this: it looks like the error message of a formula.",
    ),
    TextRow(
        "spreadsheet_trace.formula",
        "A spreadsheet may have changed this: it is written as a formula. The = and the quote marks count as"
        " part of it.",
    ),
    TextRow(
        "spreadsheet_trace.apostrophe",
        "A spreadsheet may have changed this: it begins with an apostrophe, which counts as part of it.",
    ),
    TextRow(
        "spreadsheet_trace.misread",
        "A spreadsheet may have changed this: letters such as ü were read in a wrong encoding.",
    ),
    TextRow(
        "spreadsheet_trace.encoding",
        "A spreadsheet may have changed this: the file is not in UTF-8, so accented letters may be wrong.",
        "Save the file as “CSV UTF-8”, or compare this cell with the original.",
    ),
    TextRow(
        "spreadsheet_trace.typographic",
        "A spreadsheet may have changed this: it contains curly quotes or long dashes.",
    ),
    TextRow(
        "spreadsheet_trace.blank",
        "There is a blank at the beginning or end, which counts as part of it.",
        "Remove it if it does not belong to the password.",
    ),
    TextRow(
        "spreadsheet_trace.invisible",
        "There is an invisible character or a blank of an unusual kind, which counts as part of it.",
        "Remove it if it does not belong to the password.",
    ),
    TextRow(
        "apostrophe_removed",
        "The apostrophe at the beginning was left out: it protects the cell in spreadsheets.",
        "Check the address.",
    ),
    TextRow(
        "hash_in_address",
        "The # at the beginning counts as part of the address.",
        "Put a blank after the # to leave the row out.",
    ),
    TextRow(
        "row_left_out",
        "This line looks like a row, but is left out because it begins with #.",
        "Remove the # to include it.",
    ),
    TextRow("column_ignored", "The column “%(name)s” is not read.", "It may stay."),
    TextRow(
        "column_ignored.more",
        ("%(num)s more column is not read.", "%(num)s more columns are not read."),
        "They may stay.",
    ),
)
"""Notes, which prevent nothing."""

_ROWS: Final = (
    TextRow(
        "same_mailbox",
        "Source and destination are the same mailbox.",
        "Write the mailbox that the mail is to be copied to.",
    ),
    TextRow(
        "duplicate_row",
        "Line %(first)s already requests the same import.",
        "Remove one of the two lines.",
    ),
    TextRow(
        "destination_server_missing",
        "No destination server is given, and %(product)s has no default destination server.",
        "Write its mail server, such as imap.new.example.",
    ),
    TextRow("destination_server_missing.column", advice="Add a column destination_server."),
    TextRow(
        "destination_elsewhere", "New mailboxes must be at %(host)s.", "Leave the destination's server out."
    ),
    TextRow(
        "destination_not_allowed",
        "This token does not permit that destination.",
        "Remove this row, or use a token that permits its destination.",
    ),
    TextRow("destination_not_allowed.host", "This token is for mailboxes at %(host)s only."),
    TextRow("destination_not_allowed.domains", "This token is for mailboxes of %(domains)s only."),
    TextRow("destination_not_allowed.login", "With this token, the login must match the address."),
    TextRow(
        "server_unknown",
        "The mail server of %(domain)s is not one that %(product)s knows.",
        "Check the address, or write its mail server into the server column, such as imap.%(domain)s.",
    ),
    TextRow(
        "server_unknown.offline",
        "The mail server of %(domain)s could not be looked up: there is no network connection.",
    ),
    TextRow(
        "server_unknown.unlisted",
        "No mail server was found for %(domain)s: neither the domain nor public lists name one.",
    ),
    TextRow(
        "provider_unavailable",
        "Mail cannot be imported from this host.",
        "Remove this row from the file; the other rows can be imported without it.",
    ),
    TextRow(
        "password_not_taken",
        "This host does not accept passwords over IMAP.",
        "Leave the password empty: the owner of the mailbox is asked to sign in at the host.",
    ),
    TextRow(
        "login_elsewhere",
        "There is a login here, but the owner of the address signs in instead.",
        "Remove the login from the server, or write the address that it belongs to.",
    ),
    TextRow(
        "master_elsewhere",
        "Only mailboxes at %(host)s can be opened without their password.",
        "Write the password, or leave the destination's server empty.",
    ),
    TextRow(
        "master_address",
        "Only plain addresses can be opened without a password: unaccented letters, digits and . _ + ' - before"
        " the @, and a domain in its ASCII form (xn--).",
        _WRITE_PASSWORD,
    ),
    TextRow(
        "batch_right_missing",
        "You may omit the password only for mailboxes of %(domains)s.",
        "Write the password, or have an administrator of that domain submit this row.",
    ),
    TextRow(
        "master_login",
        "A mailbox can be opened without its password only if the login is the address itself.",
        "Write the password, or remove the login from the server.",
    ),
    TextRow("too_many_attempts", "Too many attempts.", "Wait %(span)s, then try again."),
    TextRow(
        "too_many_attempts.starts",
        "More imports than you may start in 24 hours: %(number)s. None of these was started.",
        "Start fewer, start the others tomorrow, or ask the operator of this service for more.",
    ),
    TextRow(
        "too_many_attempts.lookups",
        "Too many domains were looked up.",
        "Wait %(span)s, or name the servers of the old mailboxes.",
    ),
)

ROWS: Final = (*_FILE, *_CELLS, *_NOTES, *_ROWS)
