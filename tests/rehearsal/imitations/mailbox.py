"""An in-memory mailbox: folders of letters, as on most servers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count

_numbers = count(1_800_000_000_000_000_001)
_uidvalidities = count(1_700_000_001)


@dataclass(slots=True, eq=False)
class Letter:
    """One message. `labels` are wire names; only Gmail has them."""

    content: bytes = field(repr=False)
    internaldate: str
    flags: set[str]
    labels: set[str] = field(default_factory=set)
    number: int = field(default_factory=lambda: next(_numbers))


@dataclass(slots=True, eq=False)
class Folder:
    """One folder. `name` is the wire name."""

    name: str
    attributes: tuple[str, ...] = ()
    letters: dict[int, Letter] = field(default_factory=dict)
    uidvalidity: int = field(default_factory=lambda: next(_uidvalidities))
    uidnext: int = 1
    subscribed: bool = False

    @property
    def selectable(self) -> bool:
        return "\\Noselect" not in self.attributes

    def add(self, letter: Letter) -> int:
        uid = self.uidnext
        self.uidnext += 1
        self.letters[uid] = letter
        return uid

    def uid_of(self, letter: Letter) -> int | None:
        return next((uid for uid, stored in self.letters.items() if stored is letter), None)


class Refused(Exception):
    """The server refuses the command. The message is the text after NO."""


class Mailbox:
    """One user's mail. `folders` are in the order of LIST."""

    def __init__(self, folders: Iterable[Folder] = ()) -> None:
        self.folders: dict[str, Folder] = {}
        for folder in (Folder("INBOX"), *folders):
            self.folders[folder.name] = folder

    def find(self, name: str) -> Folder | None:
        return self.folders.get("INBOX" if name.upper() == "INBOX" else name)

    def create(self, name: str) -> None:
        name = name.rstrip("/")
        if self.find(name) is not None:
            raise Refused("[ALREADYEXISTS] Duplicate folder name.")
        if not name or max(len(part) for part in name.split("/")) > 255:
            raise Refused("[CANNOT] Mailbox name too long")
        self.folders[name] = Folder(name)

    def delete(self, name: str) -> None:
        self.folders.pop(name)

    def append(self, folder: Folder, flags: Iterable[str], internaldate: str, content: bytes) -> int:
        """Store a message and return its UID. Raises Refused."""
        return folder.add(Letter(content, internaldate, set(flags)))

    def expunge(self, folder: Folder, uids: Iterable[int]) -> None:
        for uid in uids:
            del folder.letters[uid]
