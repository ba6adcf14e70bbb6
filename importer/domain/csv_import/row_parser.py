"""Parsing of import rows from a CSV file or from the API: all rows, and all of their problems.

Invariants: a `Parsed` with problems starts nothing; no problem contains a password.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar

from importer.domain.csv_import.column_names import (
    DESTINATION_SERVER,
    HEADER,
    KNOWN_COLUMNS,
    OPTIONAL_COLUMNS,
    USUAL_COLUMNS,
)
from importer.domain.csv_import.corrections import NO_CORRECTIONS, Corrections, corrected
from importer.domain.csv_import.csv_cells import Refused, Server, address, server
from importer.domain.csv_import.csv_reader import read
from importer.domain.csv_import.import_rows import (
    BATCH_BYTES,
    BATCH_ROWS,
    LONG_FILE_BYTES,
    LONG_FILE_ROWS,
    Lookup,
    Parsed,
    Row,
)
from importer.domain.csv_import.login_method import LoginMethod, SignInMethod
from importer.domain.csv_import.sheet import Record, RowProblem, Sheet
from importer.domain.import_options import OPTIONS
from importer.domain.model import Account
from importer.domain.people.batch_right import NO_RIGHT, BatchRight
from providers.endpoint import Endpoint, Secret
from providers.errors import Side
from providers.frozen import frozen
from providers.text import Text

T = TypeVar("T")


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
    corrections: Corrections = NO_CORRECTIONS,
) -> Parsed:
    """Parse a file of imports, CSV or a workbook. Raises only what `catalog` raises, whatever the bytes are.

    A file with too many rows gets that problem alone: its rows are not read and nothing is looked up.

    With `public_only`, accounts at servers named in the file get `Account.public_only`. Accounts at
    `destination` never get it, and accounts whose server was found by their address always do.

    `destination` is the server of rows without a destination server. A row without a password is valid if
    `sign_in` permits it; a row without a destination password also if `right` covers it. With `max_rows`
    None, a file for `split` is accepted: up to 1,000 rows and 1 MiB, instead of `max_rows` and 64 KiB.
    `corrections` replace cells, and leave out rows.
    """
    sheet = read(data, max_bytes=LONG_FILE_BYTES if max_rows is None else BATCH_BYTES)
    sheet = corrected(sheet, corrections)
    rules = _Rules(catalog, destination, allow_plaintext, public_only, sign_in, right)
    return _parsed(sheet, rules, max_rows)


def parse_cells(
    rows: Sequence[Mapping[str, str]],
    *,
    catalog: Lookup,
    destination: Endpoint | None,
    allow_plaintext: bool = False,
    public_only: bool = False,
    sign_in: SignInMethod = lambda _provider, _mailbox: False,
    right: BatchRight = NO_RIGHT,
    by_link: bool = False,
) -> Parsed:
    """As `parse`, for rows given as cells by column; missing cells are empty. Rows are numbered from 1, and
    at most BATCH_ROWS are accepted. With `by_link`, owners enter missing source passwords over links. Raises
    only what `catalog` raises."""
    empty = dict.fromkeys((*USUAL_COLUMNS, *OPTIONAL_COLUMNS), "")
    records = tuple(Record(number, {**empty, **cells}) for number, cells in enumerate(rows, start=1))
    sheet = Sheet(columns=tuple(empty), records=records)
    rules = _Rules(catalog, destination, allow_plaintext, public_only, sign_in, right, by_link)
    return _parsed(sheet, rules, BATCH_ROWS)


# --- The file ---------------------------------------------------------------------------------------


@frozen
class _Rules:
    """The parameters of `parse`."""

    catalog: Lookup
    destination: Endpoint | None
    allow_plaintext: bool
    public_only: bool
    sign_in: SignInMethod
    right: BatchRight
    by_link: bool = False


def _parsed(sheet: Sheet, rules: _Rules, max_rows: int | None) -> Parsed:
    limit = LONG_FILE_ROWS if max_rows is None else max_rows
    file_problems = tuple(_file_problems(sheet, rules.destination, limit))
    if len(sheet.records) > limit:  # reading the rows takes time, and look-ups use limits that others share
        return Parsed((), file_problems, len(sheet.records), sheet)
    problems = [*sheet.problems, *file_problems]
    rules.catalog.expect(_addresses_without_server(sheet))
    first_lines: dict[tuple[str, str], int] = {}
    rows: list[Row] = []
    for record in sheet.records:
        if record.cells is not None:
            reader = _RowReader(record.line, record.cells, rules)
            row = reader.read(first_lines)
            problems += reader.problems
            if row is not None:
                rows.append(row)
    problems = _with_missing_columns(sheet, problems)
    order = {column: index for index, column in enumerate(KNOWN_COLUMNS)}
    problems.sort(key=lambda problem: (problem.line, order.get(problem.column, -1)))
    return Parsed(tuple(rows), tuple(problems), len(sheet.records), sheet)


def _with_missing_columns(sheet: Sheet, problems: list[RowProblem]) -> list[RowProblem]:
    """The problems; passwords that are missing because their column is are one problem of the header."""
    missing = sorted(
        {p.column for p in problems if p.rule == "password_missing" and p.column not in sheet.columns}
    )
    found = [
        RowProblem(sheet.header_line, name, Text("missing_column", name=name, header=HEADER))
        for name in missing
    ]
    return found + [p for p in problems if p.column not in missing or p.rule != "password_missing"]


def _addresses_without_server(sheet: Sheet) -> list[str]:
    """The source addresses whose server has to be looked up."""
    addresses: list[str] = []
    for record in sheet.records:
        if record.cells is not None and not record.cells.get("source_server", "").strip():
            with contextlib.suppress(Refused):
                addresses.append(address(record.cells.get("source_address", "")))
    return addresses


def _file_problems(sheet: Sheet, destination: Endpoint | None, limit: int) -> Iterator[RowProblem]:
    if not sheet.columns:
        return
    if destination is None and DESTINATION_SERVER not in sheet.columns:
        text = Text("destination_server_missing.column")
        yield RowProblem(sheet.header_line, DESTINATION_SERVER, text)
    if not sheet.records:
        yield RowProblem(0, "", Text("no_rows"))
    elif len(sheet.records) > limit:
        text = Text("too_many_rows", rows=len(sheet.records), limit=limit)
        yield RowProblem(sheet.records[limit].line, "", text)


# --- One row ----------------------------------------------------------------------------------------


@frozen
class _Mailbox:
    """One side of a row, as far as its cells are valid. `account` is None if they do not identify a
    mailbox."""

    account: Account | None = None
    password: Secret | None = None
    sign_in: str = ""
    by_master: bool = False

    @property
    def can_be_opened(self) -> bool:
        return self.password is not None or bool(self.sign_in) or self.by_master


class _RowReader:
    """Reads the cells of one row. Invalid cells are collected in `problems`."""

    def __init__(self, line: int, cells: Mapping[str, str], rules: _Rules) -> None:
        self.problems: list[RowProblem] = []
        self._line = line
        self._cells = cells
        self._rules = rules

    def read(self, first_lines: dict[tuple[str, str], int]) -> Row | None:
        """The row; None if it lacks a mailbox or a way to open one. `first_lines` maps each pair of mailboxes
        to the first line that names it, and is updated."""
        source, destination = self._source(), self._destination()
        values = {name: self._parse_cell(name, option.parse) for name, option in OPTIONS.items()}
        if source.account is None or destination.account is None:
            return None
        self._check_pair(source.account, destination.account, first_lines)
        if not (source.can_be_opened and destination.can_be_opened):
            return None
        return Row(
            self._line,
            source.account,
            source.password,
            destination.account,
            destination.password,
            source.sign_in,
            destination.sign_in,
            {name: value for name, value in values.items() if value is not None},
        )

    def _source(self) -> _Mailbox:
        mail_address = self._parse_cell("source_address", address)
        server_ = self._parse_cell("source_server", self._parse_server)
        if mail_address is None or server_ is None:
            return _Mailbox(password=self._parse_cell("source_password", LoginMethod().password))
        method = self._login_method(mail_address, server_.endpoint, "source_password")
        column = "source_address" if server_.endpoint is None else "source_server"
        account = self._collect(column, partial(_source_account, mail_address, server_, method, self._rules))
        password = self._parse_cell("source_password", method.password) if method.takes_password else None
        return _Mailbox(account, password, method.sign_in)

    def _destination(self) -> _Mailbox:
        mail_address = self._parse_cell("destination_address", address)
        server_ = self._parse_cell(DESTINATION_SERVER, self._parse_server)
        default = self._rules.destination
        # Without any destination server, the file has a single problem at its header and none in its rows.
        has_server = default is not None or DESTINATION_SERVER in self._cells
        if mail_address is None or server_ is None or not has_server:
            return self._destination_mailbox(None, LoginMethod())
        method = self._login_method(mail_address, server_.endpoint or default, "destination_password")
        check = partial(_destination_account, mail_address, server_, method, self._rules)
        return self._destination_mailbox(self._collect(DESTINATION_SERVER, check), method)

    def _destination_mailbox(self, account: Account | None, method: LoginMethod) -> _Mailbox:
        """The destination with its password, or without one if the batch right covers it."""
        if not method.takes_password:
            return _Mailbox(account, sign_in=method.sign_in)
        right = self._rules.right
        if self._cells.get("destination_password", "").strip() or not right.any:
            return _Mailbox(account, self._parse_cell("destination_password", method.password))
        if account is None:
            return _Mailbox()
        grant = self._collect("destination_password", partial(right.grant, account))
        return _Mailbox(account, by_master=grant is not None)

    def _check_pair(
        self, source: Account, destination: Account, first_lines: dict[tuple[str, str], int]
    ) -> None:
        first_line = first_lines.setdefault((source.key, destination.key), self._line)
        if source.key == destination.key:
            self._add("destination_address", Text("same_mailbox"))
        elif first_line != self._line:
            self._add("source_address", Text("duplicate_row", first=first_line))

    def _parse_cell(self, column: str, parser: Callable[[str], T]) -> T | None:
        return self._collect(column, partial(parser, self._cells.get(column, "")))

    def _collect(self, column: str, check: Callable[[], T]) -> T | None:
        """The result of `check`, or None if it raises Refused, which is added to the problems of `column`."""
        try:
            return check()
        except Refused as refused:
            self._add(column, refused.text)
            return None

    def _add(self, column: str, text: Text) -> None:
        self.problems.append(RowProblem(self._line, column, text))

    def _parse_server(self, cell: str) -> Server:
        return server(cell, allow_plaintext=self._rules.allow_plaintext)

    def _login_method(
        self, mail_address: str, endpoint: Endpoint | None, password_column: str
    ) -> LoginMethod:
        """The login method of the mailbox at `endpoint`, or if that is None, at the server of its address."""
        catalog = self._rules.catalog
        host = catalog.for_address(mail_address) if endpoint is None else catalog.for_host(endpoint.host)
        cell = self._cells.get(password_column, "")
        by_link = self._rules.by_link and password_column.startswith(Side.SOURCE)
        return LoginMethod.into(mail_address, host, cell, self._rules.sign_in, by_link=by_link)


def _source_account(mail_address: str, server_: Server, method: LoginMethod, rules: _Rules) -> Account:
    method.check(mail_address, server_)
    if server_.endpoint is not None:
        return _account(mail_address, server_.endpoint, server_.login, rules)
    provider = rules.catalog.for_address(mail_address)
    endpoint = provider.source_endpoint if provider is not None else None
    if provider is None or endpoint is None:
        why = rules.catalog.why_unknown(mail_address)
        raise Refused.of(why)
    return Account(mail_address, provider.login_name(mail_address), endpoint, public_only=True)


def _destination_account(mail_address: str, server_: Server, method: LoginMethod, rules: _Rules) -> Account:
    endpoint = server_.endpoint or rules.destination
    if endpoint is None:
        raise Refused("destination_server_missing")
    method.check(mail_address, server_)
    return _account(mail_address, endpoint, server_.login, rules)


def _account(mail_address: str, endpoint: Endpoint, login: str | None, rules: _Rules) -> Account:
    provider = rules.catalog.for_host(endpoint.host)
    if provider is not None and login is None:
        login = provider.login_name(mail_address)
    public_only = rules.public_only and endpoint != rules.destination
    return Account(mail_address, login or mail_address, endpoint, public_only)
