"""A batch as a CSV file: all rows, or all that is wrong with them at once.

Invariants: a `Parsed` with problems starts nothing; no problem and no annotated file ever holds a password.
"""

from __future__ import annotations

import contextlib
import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol, TypeVar

from importer.domain.csv_import.csv_cells import Refused, Server, address, label_rule, server, yes_or_no
from importer.domain.csv_import.csv_reader import (
    DESTINATION_SERVER,
    KNOWN_COLUMNS,
    LABELS,
    OPTIONAL_COLUMNS,
    PASSWORD_COLUMNS,
    PROBLEM_COLUMN,
    REQUIRED_COLUMNS,
    SERVER_COLUMNS,
    SYNC_FLAGS,
    Record,
    RowProblem,
    Sheet,
    read,
)
from importer.domain.csv_import.login_method import LoginMethod, SignInMethod
from importer.domain.folder_mapping.label_rules import LabelRule
from importer.domain.model import Account
from importer.domain.people.batch_right import NO_RIGHT, BatchRight
from providers.endpoint import Endpoint, Secret
from providers.provider import Provider

__all__ = [
    "BATCH_BYTES",
    "BATCH_ROWS",
    "Lookup",
    "Parsed",
    "Row",
    "RowProblem",
    "annotate",
    "parse",
    "parse_cells",
    "split",
    "template",
]

BATCH_ROWS: Final = 25
BATCH_BYTES: Final = 64 * 1024
LONG_FILE_ROWS: Final = 1000  # for whoever splits a file into batches
LONG_FILE_BYTES: Final = 1024 * 1024

_NO_DESTINATION: Final = "No destination server is given, and Mailhaul is not configured for one."

T = TypeVar("T")


class Lookup(Protocol):
    """Finds the provider of an address or of a server. `providers.catalog.Catalog` knows what it knows,
    `providers.bulk_discovery.Directory` looks further on the network."""

    def expect(self, addresses: Sequence[str]) -> None:
        """These will be asked for: whoever takes time to find them finds them all at the same time."""
        ...

    def for_address(self, address: str) -> Provider | None: ...

    def why_unknown(self, address: str) -> str:
        """For an address that `for_address` finds no provider of: why, as a sentence for people."""
        ...

    def for_host(self, host: str) -> Provider | None: ...


@dataclass(frozen=True, slots=True)
class Row:
    """One import as its line asks for it. A side without a password is opened in another way:
    `source_sign_in` and `destination_sign_in` name where owners sign in (`Provider.sign_in`), or are "".
    What is None of the choices is left to whoever hands it in: `chosen`."""

    line: int
    source: Account
    source_password: Secret | None
    destination: Account
    destination_password: Secret | None
    source_sign_in: str = ""
    destination_sign_in: str = ""
    labels: LabelRule | None = None
    sync_flags: bool | None = None

    def chosen(self, labels: LabelRule, *, sync_flags: bool) -> Row:
        """The row with these choices where its line makes none."""
        return replace(
            self,
            labels=labels if self.labels is None else self.labels,
            sync_flags=sync_flags if self.sync_flags is None else self.sync_flags,
        )

    @property
    def by_master(self) -> bool:
        """Whether the host's master user is to open the destination."""
        return self.destination_password is None and not self.destination_sign_in


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a file holds. `rows` are in the order of the file and complete only without problems;
    `problems` are sorted by line and column; `row_count` counts all rows, good or not."""

    rows: tuple[Row, ...]
    problems: tuple[RowProblem, ...]
    row_count: int


def parse(
    data: bytes,
    *,
    catalog: Lookup,
    destination: Endpoint | None,
    allow_plaintext: bool = False,
    public_only: bool = False,
    max_rows: int | None = BATCH_ROWS,
    sign_in: SignInMethod = lambda _provider, _mailbox: False,
    right: BatchRight = NO_RIGHT,
) -> Parsed:
    """Reads a CSV file of imports. Never raises, whatever the bytes are.

    With `public_only`, the servers that the file names are for `Account.public_only`; `destination` never is,
    and servers that were found from an address always are.

    `destination` serves rows that name no destination server. A row without a password is good where
    `sign_in` says so, one without a destination password also where the `right` covers it. With `max_rows`
    None a file may be as long as `split` takes: 1,000 rows and 1 MiB, in place of `max_rows` and 64 KiB.
    """
    sheet = read(data, max_bytes=LONG_FILE_BYTES if max_rows is None else BATCH_BYTES)
    rules = _Rules(catalog, destination, allow_plaintext, public_only, sign_in, right)
    return _parsed(sheet, _file_problems(sheet, destination, max_rows), rules)


def parse_cells(
    rows: Sequence[Mapping[str, str]],
    *,
    catalog: Lookup,
    destination: Endpoint | None,
    allow_plaintext: bool = False,
    public_only: bool = False,
    sign_in: SignInMethod = lambda _provider, _mailbox: False,
    right: BatchRight = NO_RIGHT,
) -> Parsed:
    """The same for rows that come from no file: their cells by column, missing ones as empty. They are
    numbered from 1, and at most BATCH_ROWS are taken. Never raises."""
    empty = dict.fromkeys((*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS), "")
    records = tuple(Record(number, {**empty, **cells}) for number, cells in enumerate(rows, start=1))
    sheet = Sheet(columns=tuple(empty), records=records)
    rules = _Rules(catalog, destination, allow_plaintext, public_only, sign_in, right)
    return _parsed(sheet, _file_problems(sheet, destination, BATCH_ROWS), rules)


def split(parsed: Parsed, size: int = BATCH_ROWS) -> Iterator[tuple[Row, ...]]:
    """The rows in their order, in batches of at most `size`."""
    for start in range(0, len(parsed.rows), size):
        yield parsed.rows[start : start + size]


def template() -> str:
    """The file that people download and fill in; templates/csv/batch.csv is the same text."""
    return _TEMPLATE


def annotate(data: bytes, parsed: Parsed) -> str:
    """The file once more, with what is wrong in a last column `problem` and every password left out.

    Cells that are not what their column asks for are left out too: they may be passwords in the wrong
    place. Rows keep their lines, other lines come back empty, the delimiter stays, lines end with CRLF.
    Cells that a spreadsheet would run as a formula get a `'` in front (OWASP, "CSV Injection"). What
    concerns no single row follows as comments. Filled in again, the file can be handed in again.
    """
    sheet = read(data, max_bytes=LONG_FILE_BYTES)
    by_line: dict[int, list[str]] = defaultdict(list)
    for problem in parsed.problems:
        by_line[problem.line].append(str(problem))
    columns = tuple(column for column in sheet.columns if column != PROBLEM_COLUMN)
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=sheet.delimiter, quoting=csv.QUOTE_ALL)
    lines_written = 0
    if columns:
        out.write("\r\n" * (sheet.header_line - 1))
        writer.writerow((*columns, PROBLEM_COLUMN))
        lines_written = sheet.header_line
    for record in sheet.records:
        out.write("\r\n" * (record.line - lines_written - 1))
        shown = (_shown(column, record.cells[column]) if record.cells else "" for column in columns)
        writer.writerow((*shown, " ".join(by_line.pop(record.line, ()))))
        lines_written = record.line
    for texts in by_line.values():
        out.writelines(f"# {text}\r\n" for text in texts)
    return out.getvalue()


def _shown(column: str, cell: str) -> str:
    if column in PASSWORD_COLUMNS:
        return ""
    try:
        _MEANINGS.get(column, address)(cell)
    except Refused:
        return ""
    text = cell.strip()
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


_MEANINGS: Final[Mapping[str, Callable[[str], object]]] = {
    **dict.fromkeys(SERVER_COLUMNS, server),
    LABELS: label_rule,
    SYNC_FLAGS: yes_or_no,
}
"""What cells of other columns than addresses are read as."""


# --- The rules --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rules:
    catalog: Lookup
    destination: Endpoint | None
    allow_plaintext: bool
    public_only: bool
    sign_in: SignInMethod
    right: BatchRight


def _parsed(sheet: Sheet, more: Iterable[RowProblem], rules: _Rules) -> Parsed:
    problems = [*sheet.problems, *more]
    rules.catalog.expect(_without_server(sheet))
    line_of: dict[tuple[str, str], int] = {}
    rows: list[Row] = []
    for record in sheet.records[:LONG_FILE_ROWS]:
        if record.cells is not None:
            row, found = _read_row(record.line, record.cells, rules, line_of)
            problems += found
            if row is not None:
                rows.append(row)
    order = {column: index for index, column in enumerate(KNOWN_COLUMNS)}
    problems.sort(key=lambda problem: (problem.line, order.get(problem.column, -1)))
    return Parsed(tuple(rows), tuple(problems), len(sheet.records))


def _without_server(sheet: Sheet) -> list[str]:
    """The source addresses whose server has to be found."""
    found: list[str] = []
    for record in sheet.records[:LONG_FILE_ROWS]:
        if record.cells is not None and not record.cells.get("source_server", "").strip():
            with contextlib.suppress(Refused):
                found.append(address(record.cells.get("source_address", "")))
    return found


def _file_problems(sheet: Sheet, destination: Endpoint | None, max_rows: int | None) -> Iterator[RowProblem]:
    if not sheet.columns:
        return
    if destination is None and DESTINATION_SERVER not in sheet.columns:
        fix = f"Add a column {DESTINATION_SERVER}."
        line = sheet.header_line
        yield RowProblem(line, DESTINATION_SERVER, "destination_server_missing", _NO_DESTINATION, fix)
    most = LONG_FILE_ROWS if max_rows is None else max_rows
    if not sheet.records:
        fix = "Write one line for each mailbox, below the names of the columns."
        yield RowProblem(0, "", "no_rows", "There is no row in the file.", fix)
    elif len(sheet.records) > most:
        message = f"The file has {len(sheet.records):,} rows; at most {most:,} are taken at a time."
        fix = "Hand it in with --split at the console, or in several files."
        yield RowProblem(sheet.records[most].line, "", "too_many_rows", message, fix)


def _read_row(
    line: int, cells: Mapping[str, str], rules: _Rules, line_of: dict[tuple[str, str], int]
) -> tuple[Row | None, list[RowProblem]]:
    """The row, and all that is wrong with it; `line_of` learns where each pair of mailboxes stood first."""
    problems: list[RowProblem] = []

    def take(column: str, check: Callable[[], T]) -> T | None:
        try:
            return check()
        except Refused as refused:
            problems.append(RowProblem(line, column, refused.rule, str(refused), refused.fix))
            return None

    def read_cell(column: str, check: Callable[[str], T]) -> T | None:
        return take(column, partial(check, cells.get(column, "")))

    read_server = partial(server, allow_plaintext=rules.allow_plaintext)
    source_address = read_cell("source_address", address)
    source_server = read_cell("source_server", read_server)
    destination_address = read_cell("destination_address", address)
    destination_server = read_cell(DESTINATION_SERVER, read_server)
    labels = read_cell(LABELS, label_rule)
    sync_flags = read_cell(SYNC_FLAGS, yes_or_no)
    # Without any destination server the file has one problem at its header, not one in each row.
    named = rules.destination is not None or DESTINATION_SERVER in cells
    source = destination = source_password = destination_password = None
    out = _way_in(source_address, source_server, cells.get("source_password", ""), rules)
    if out.takes_password:
        source_password = read_cell("source_password", out.password)
    given, usual = cells.get("destination_password", ""), rules.destination
    into = _way_in(destination_address, destination_server, given, rules, usual) if named else LoginMethod()
    if source_address is not None and source_server is not None:
        column = "source_address" if source_server.endpoint is None else "source_server"
        source = take(column, partial(_source, source_address, source_server, out, rules))
    if destination_address is not None and destination_server is not None and named:
        check = partial(_destination, destination_address, destination_server, into, rules)
        destination = take(DESTINATION_SERVER, check)
    by_master = False
    if into.takes_password and (given.strip() or not rules.right.any):
        destination_password = read_cell("destination_password", into.password)
    elif into.takes_password and destination is not None:
        by_master = take("destination_password", partial(rules.right.grant, destination)) is not None
    if source is None or destination is None:
        return None, problems
    first = line_of.setdefault((source.key, destination.key), line)
    if source.key == destination.key:
        message = "Source and destination are the same mailbox."
        fix = "Write the mailbox that the mail is to go into."
        problems.append(RowProblem(line, "destination_address", "same_mailbox", message, fix))
    elif first != line:
        message = f"Line {first} asks for the same import already."
        fix = "Remove one of the two lines."
        problems.append(RowProblem(line, "source_address", "duplicate_row", message, fix))
    if not (destination_password or by_master or into.sign_in):
        return None, problems
    if source_password is None and not out.sign_in:
        return None, problems
    row = Row(line, source, source_password, destination, destination_password, out.sign_in, into.sign_in)
    return replace(row, labels=labels, sync_flags=sync_flags), problems


def _way_in(
    mail_address: str | None, given: Server | None, cell: str, rules: _Rules, usual: Endpoint | None = None
) -> LoginMethod:
    """Into a mailbox at the server that is given, the `usual` one, or the one of its address."""
    if mail_address is None or given is None:
        return LoginMethod()
    endpoint = given.endpoint or usual
    catalog = rules.catalog
    host = catalog.for_address(mail_address) if endpoint is None else catalog.for_host(endpoint.host)
    return LoginMethod.into(mail_address, host, cell, rules.sign_in)


def _source(mail_address: str, given: Server, way: LoginMethod, rules: _Rules) -> Account:
    way.check(mail_address, given)
    if given.endpoint is not None:
        return _account(mail_address, given.endpoint, given.login, rules)
    provider = rules.catalog.for_address(mail_address)
    endpoint = provider.source_endpoint if provider is not None else None
    if provider is None or endpoint is None:
        domain = mail_address.rpartition("@")[2].lower()
        raise Refused(
            "server_unknown",
            rules.catalog.why_unknown(mail_address),
            f"Check the address, or write its mail server into the server column, such as imap.{domain}.",
        )
    return Account(mail_address, provider.login_name(mail_address), endpoint, public_only=True)


def _destination(mail_address: str, given: Server, way: LoginMethod, rules: _Rules) -> Account:
    endpoint = given.endpoint or rules.destination
    if endpoint is None:
        raise Refused(
            "destination_server_missing", _NO_DESTINATION, "Write its mail server, such as imap.new.example."
        )
    way.check(mail_address, given)
    return _account(mail_address, endpoint, given.login, rules)


def _account(mail_address: str, endpoint: Endpoint, login: str | None, rules: _Rules) -> Account:
    serving = rules.catalog.for_host(endpoint.host)
    if serving is not None and login is None:
        login = serving.login_name(mail_address)
    public_only = rules.public_only and endpoint != rules.destination
    return Account(mail_address, login or mail_address, endpoint, public_only)


_TEMPLATE: Final = f"""\
{",".join(REQUIRED_COLUMNS)}
# One line for each mailbox, at most {BATCH_ROWS} lines in one file.
# Blank lines and lines that start with # are ignored. You may delete these lines.
#
# source_address: the mailbox to copy from.
# source_password: its password. Many providers require an app password from their security settings.
# source_server: the mail server of the source. Leave it empty to find it from the address.
#   Otherwise enter a name such as imap.old.example or imaps://imap.old.example:993,
#   or imaps://login@imap.old.example if the login is not the address.
# destination_address: the mailbox to copy into. It must already exist.
# destination_password: its password.
# Leave a password empty if its owner signs in at Google or Microsoft, or if an organisation gives access.
#
# Optional columns:
# destination_server: the mail server of the destination if it is not the usual one.
# labels: for Gmail, how to copy mail with several labels.
#   one: one copy, in the folder of its most specific label. keywords: the same, with the others as keywords.
#   each: one copy in the folder of each label.
# sync_flags: yes, to copy flags that changed at the source since an earlier import.
#
# Spaces before and after a password are part of the password.
# Put a password that contains a comma or a quotation mark in quotation marks.
# Write each quotation mark inside it twice.
#
# Examples: remove the # in front to use a line.
#ada@old.example,correct horse battery staple,,ada@new.example,Tr0ub4dor
#grace@old.example,"a comma, a "" quotation mark",imap.old.example,grace@new.example,"  blanks stay  "
"""
