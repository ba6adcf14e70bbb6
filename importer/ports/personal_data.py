"""The data that the store holds about a mail address: shown, exported and erased on request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from importer.domain.model import Import
from importer.domain.personal_data import PersonalData


class PersonalRecords(Protocol):
    """All rows of all tables about one address, compared without regard to case."""

    def imports_of(self, address: str) -> Sequence[Import]:
        """The imports out of or into the mailbox with that address or login."""
        ...

    def personal_data(self, address: str) -> PersonalData: ...

    def erase_personal_data(self, address: str, pseudonym: str) -> Mapping[str, int]:
        """Remove the imports of that mailbox with what belongs to them, and the ledger of their routes;
        elsewhere remove the row or put the pseudonym in place of the address. Return the number of changed
        rows by table. Safe to repeat, also after an interruption.

        The imports must not be under way. Rows that keep the address are those that `personal_data` returns
        afterwards.
        """
        ...

    def overwrite_free_space(self) -> bool:
        """Overwrite removed data, so that the database's files hold no remains of it. False if that has to
        wait for other processes, or is left to the database's own housekeeping."""
        ...
