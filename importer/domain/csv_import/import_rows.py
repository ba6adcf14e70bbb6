"""The rows of an import file: one import per row, the problems of a file, and its limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field
from typing import Final, Protocol

from importer.domain.csv_import.sheet import MOST_ROWS, RowProblem, Sheet
from importer.domain.import_options import Choices
from importer.domain.model import Account
from providers.endpoint import Secret
from providers.frozen import frozen
from providers.grants import OAuthGrant
from providers.provider import Provider
from providers.text import Text

BATCH_ROWS: Final = 25
BATCH_BYTES: Final = 64 * 1024
PAGE_ROWS: Final = 100  # of a file on the pages, which is started as several batches
LONG_FILE_ROWS: Final = MOST_ROWS  # of a file that is split into several batches
LONG_FILE_BYTES: Final = 1024 * 1024
PROBLEMS_SHOWN: Final = 50
"""Pages, API and console show this many problems of a file, and the number of the others."""


class Lookup(Protocol):
    """Finds the provider of an address or a server. `providers.catalog.Catalog` searches its own entries;
    `providers.bulk_discovery.BulkDiscovery` also searches the network."""

    def expect(self, addresses: Sequence[str]) -> None:
        """Announce addresses that will be passed to `for_address`, so that slow look-ups can run
        concurrently."""
        ...

    def for_address(self, address: str) -> Provider | None: ...

    def why_unknown(self, address: str) -> Text:
        """The reason why `for_address` found no provider for this address."""
        ...

    def for_host(self, host: str) -> Provider | None: ...


@frozen
class Row:
    """One import as requested by its line.

    A mailbox without a password is opened by its owner's sign-in, if `source_sign_in` or
    `destination_sign_in` names where (`Provider.sign_in`; "" otherwise), or by the host's master user
    (`by_master`); by `source_grant` or `destination_grant`, if its owner signed in already. `choices` are the
    options that the row chooses.
    """

    line: int
    source: Account
    source_password: Secret | None
    destination: Account
    destination_password: Secret | None
    source_sign_in: str = ""
    destination_sign_in: str = ""
    choices: Choices = field(default_factory=dict)
    source_grant: OAuthGrant | None = None
    destination_grant: OAuthGrant | None = None

    @property
    def by_master(self) -> bool:
        """Whether the host's master user opens the destination."""
        opened = self.destination_password is not None or self.destination_grant is not None
        return not opened and not self.destination_sign_in


@frozen
class Parsed:
    """The content of a file. `rows` are in the order of the file, and complete only if there are no problems;
    `problems` are sorted by line and column; `row_count` counts all rows, valid or not; `sheet` is the file
    as it was read."""

    rows: tuple[Row, ...]
    problems: tuple[RowProblem, ...]
    row_count: int
    sheet: Sheet = field(default_factory=Sheet, repr=False, compare=False)

    @property
    def good_rows(self) -> tuple[Row, ...]:
        """The rows without a problem; none if a problem concerns the whole file."""
        faulty = {problem.line for problem in self.problems}
        if not faulty <= {record.line for record in self.sheet.records}:
            return ()
        return tuple(row for row in self.rows if row.line not in faulty)

    @property
    def notes(self) -> tuple[RowProblem, ...]:
        """Notes for the submitter, sorted by line: columns that are not read, cells that a spreadsheet may
        have changed."""
        return self.sheet.notes


def split(rows: Sequence[Row], size: int = BATCH_ROWS) -> Iterator[tuple[Row, ...]]:
    """The rows in order, in batches of at most `size`."""
    for start in range(0, len(rows), size):
        yield tuple(rows[start : start + size])
