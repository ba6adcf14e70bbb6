"""Quirks of servers that keep a mailbox more than once."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import ClassVar

from tests.rehearsal.quirks.mail import Folder, Mailbox
from tests.rehearsal.quirks.registry import quirk
from tests.rehearsal.quirks.session import Session


@quirk("stale-replica", "(asynchronous replication)")
class StaleReplica(Session):
    """Every second connection leads to a replica that has each folder as it was before the first run."""

    former: ClassVar[Mapping[bytes, Folder]] = {}

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        cls.former = {name: copy.copy(folder) for name, folder in box.folders.items()}
        for folder in cls.former.values():
            folder.messages = list(folder.messages)

    def _as_shown(self, folder: Folder) -> Folder:
        if self.number % 2:
            return folder
        shown = copy.copy(self.former.get(folder.name) or Folder(folder.name, folder.uidvalidity))
        shown.messages = list(shown.messages)
        return shown

    def opening_lines(self, folder: Folder) -> list[bytes]:
        shown = self._as_shown(folder)
        self.view = list(shown.messages)
        return super().opening_lines(shown)

    def status_numbers(self, folder: Folder) -> dict[bytes, bytes]:
        return super().status_numbers(self._as_shown(folder))

    def tell_changes(self) -> None:
        if self.number % 2:
            super().tell_changes()
