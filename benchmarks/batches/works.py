"""The contents of a batch, and its mailboxes on the stage."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.copiers import Login
from benchmarks.corpora import WORKS, Work, messages
from benchmarks.stage import Stage
from tests.rehearsal.ports import RehearsalError
from tests.rehearsal.snapshot import Mailbox

FOLDERS = 13


@dataclass(frozen=True, slots=True)
class Kind:
    """Mailboxes of the same content: messages of `work`, `messages` of them in FOLDERS folders."""

    work: Work
    messages: int


@dataclass(frozen=True, slots=True)
class BatchWork:
    """A batch: the mailboxes in the order of their rows."""

    name: str
    kinds: tuple[Kind, ...]

    @property
    def messages(self) -> int:
        return sum(kind.messages for kind in self.kinds)

    @property
    def folders(self) -> int:
        return len(self.kinds) * FOLDERS


def _kind(name: str, count: int) -> Kind:
    return Kind(replace(WORKS[name], folders=FOLDERS), count)


def batch_work(name: str, mailboxes: int | None = None, count: int | None = None) -> BatchWork:
    """The batch called `name`; `mailboxes` and `count` (messages of each small mailbox) replace its own
    numbers. The huge mailbox of `huge` has twenty times as many messages as a small one, and is the first
    row."""
    of, per_mailbox = {"small": (25, 1_000), "many": (60, 500), "mixed": (25, 160), "huge": (25, 1_000)}[name]
    of, per_mailbox = mailboxes or of, count or per_mailbox
    if name == "huge":
        return BatchWork(name, (_kind("s", 20 * per_mailbox), *[_kind("s", per_mailbox)] * (of - 1)))
    return BatchWork(name, (_kind("m" if name == "mixed" else "s", per_mailbox),) * of)


NAMES = ("small", "many", "mixed", "huge")


@dataclass(frozen=True, slots=True)
class Filled:
    """The source mailboxes of a batch: a near login for each row, and the contents as the checker reads
    them."""

    logins: Sequence[Login]
    read: dict[Kind, Mailbox]
    bytes: int


def fill(stage: Stage, work: BatchWork) -> Filled:
    """Fills the source. Mailboxes of a kind are filled once and then copied as files. Raises
    RehearsalError."""
    first: dict[Kind, Login] = {}
    logins: list[Login] = []
    read: dict[Kind, Mailbox] = {}
    for row, kind in enumerate(work.kinds):
        name = f"{work.name}-{row}"
        if kind not in first:
            first[kind] = stage.fill_source(name, messages(kind.work, kind.messages))
            read[kind] = stage.read(first[kind])
            if read[kind].count() != kind.messages:
                raise RehearsalError(f"{name} holds {read[kind].count()} messages, not {kind.messages}")
            logins.append(first[kind])
        else:
            login = stage.new_source(name)
            _copy_tree(stage.source.mailbox_path(first[kind].user), stage.source.mailbox_path(login.user))
            logins.append(login)
    sizes = {
        kind: sum(len(message.content) for message in messages(kind.work, kind.messages)) for kind in first
    }
    return Filled(logins, read, sum(sizes[kind] for kind in work.kinds))


def _copy_tree(old: Path, new: Path) -> None:
    def copy(source: str, target: str) -> str:
        shutil.copy2(source, target)
        _own(Path(source), Path(target))
        return target

    shutil.copytree(old, new, copy_function=copy)
    for folder in (new, *(path for path in new.rglob("*") if path.is_dir())):
        _own(old / folder.relative_to(new), folder)
    _own(old.parent, new.parent)


def _own(like: Path, path: Path) -> None:
    status = like.stat()
    shutil.chown(path, status.st_uid, status.st_gid)
