"""The actions of mailbox owners, directly at the servers, and their record."""

from __future__ import annotations

import imaplib
import math
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256

from tests.drill.history import DestinationHistory, Removed, SourceHistory
from tests.drill.ledger_reader import LedgerReader
from tests.drill.letters import letter
from tests.drill.oracle import BALLAST
from tests.drill.plan import FOLDERS
from tests.rehearsal.fill import INBOX, FolderPath, Naming, connect, decode_utf7, naming_of
from tests.rehearsal.hosts import User
from tests.rehearsal.snapshot import Seen, folder_names, read_folder

LEFT_WHEN_FULL_BYTES = 30_000
AT_REST_S = 0.3


@contextmanager
def session(user: User) -> Iterator[tuple[imaplib.IMAP4, Naming]]:
    client = connect(user.account.endpoint, user.account.login, user.password, user.ca_file)
    try:
        yield client, naming_of(client)
    finally:
        client.logout()


def deliver(
    user: User, history: SourceHistory, folder: FolderPath, numbers: Sequence[int], now_s: float, *, seed: int
) -> str:
    """New mail arrives at the source."""
    messages = [letter(number, folder, seed=seed) for number in numbers]
    user.fill(messages)
    history.delivered(folder, [sha256(m.content).hexdigest() for m in messages], now_s)
    return f"{len(numbers)} messages into {'/'.join(folder)}"


def expunge(
    user: User, history: SourceHistory, chance: random.Random, number: int, now_s: Callable[[], float]
) -> str:
    """The owner of the source removes some messages."""
    with session(user) as (client, naming):
        path, name, messages = _some_folder(client, naming, chance)
        uids = chance.sample(sorted(messages), min(number, len(messages) // 2))
        _expunge(client, name, uids)
        for uid in uids:
            history.expunged(path, messages[uid].digest, now_s())
    return f"{len(uids)} messages of {'/'.join(path)}"


def delete(
    user: User,
    history: DestinationHistory,
    ledger: LedgerReader,
    chance: random.Random,
    number: int,
    now_s: float,
) -> str:
    """The owner of the destination removes some messages."""
    with session(user) as (client, naming):
        path, name, messages = _some_folder(client, naming, chance)
        uids = chance.sample(sorted(messages), min(number, len(messages) // 2))
        taken = _taken(history, ledger, client, name, path, {u: messages[u] for u in uids}, now_s, None)
        _expunge(client, name, uids)
        history.removed += taken
    return f"{len(uids)} messages of {'/'.join(path)}"


def rename_folder(
    user: User,
    history: DestinationHistory,
    ledger: LedgerReader,
    chance: random.Random,
    now_s: float,
    *,
    and_delete: bool,
) -> str:
    """The owner of the destination renames a folder with everything below it, or moves it to the trash."""
    with session(user) as (client, naming):
        paths = [
            p for p in _paths(client, naming) if p not in (INBOX, BALLAST) and p[0] in {f[0] for f in FOLDERS}
        ]
        if not paths:
            return "no folder"
        path = chance.choice(sorted(paths))
        to = (f"{'Bin' if and_delete else 'Kept'} {len(history.removed)} {math.floor(now_s * 10)}",)
        before = [p for p in _paths(client, naming) if p[: len(path)] == path]
        status = {p: _uidvalidity(client, naming.wire_name(p)) for p in before}
        kind, answer = client.rename(naming.wire_name(path), naming.wire_name(to))
        if kind != "OK":
            return f"{'/'.join(path)}: refused: {answer!r}"
        for old in before:
            new = to + old[len(path) :]
            wire = naming.wire_name(new)[1:-1]
            messages = _read_at_rest(client, wire)
            history.renamed.append((old, new))
            history.removed += _taken(
                history, ledger, client, wire, old, messages, now_s, None if and_delete else new, status[old]
            )
        client.unselect() if hasattr(client, "unselect") else None
        if and_delete:
            for old in reversed(before):
                client.delete(naming.wire_name(to + old[len(path) :]))
    return f"{'/'.join(path)} to {'/'.join(to)}"


def note_if_replaced(user: User, history: DestinationHistory, ledger: LedgerReader) -> None:
    """Set `replaced` once a source has no folder left that its imports know, besides the INBOX."""
    if not history.inbox_renumbered:
        return
    with session(user) as (client, naming):
        now = {
            "/".join(path): _uidvalidity(client, naming.wire_name(path))
            for path in _paths(client, naming)
            if path != INBOX
        }
    history.replaced |= any(
        not folders.items() & now.items() for folders in ledger.last_uidvalidities(history.number).values()
    )


def fill_up(user: User, limit_bytes: int) -> str:
    """Fills the destination, except for room for a few messages."""
    with session(user) as (client, naming):
        usage = re.search(rb"STORAGE (\d+)", b" ".join(client.getquotaroot("INBOX")[1][1]))
        used = int(usage[1]) * 1024 if usage else 0
        room = limit_bytes - used - LEFT_WHEN_FULL_BYTES
        if room <= 0:
            return "is full"
        name = naming.wire_name(BALLAST)
        client.create(name)
        line = b"x" * 998 + b"\r\n"
        while room > 0:
            part = min(room, 4_000_000)
            client.append(name, "()", "", b"Subject: ballast\r\n\r\n" + line * (part // 1000))
            room -= part + 1000
    return "full"


def empty(user: User) -> str:
    with session(user) as (client, naming):
        client.delete(naming.wire_name(BALLAST))
    return "emptied"


def _taken(
    history: DestinationHistory,
    ledger: LedgerReader,
    client: imaplib.IMAP4,
    name: str,
    path: FolderPath,
    messages: dict[int, Seen],
    now_s: float,
    to: FolderPath | None,
    uidvalidity: int | None = None,
) -> list[Removed]:
    valid = _uidvalidity(client, f'"{name}"') if uidvalidity is None else uidvalidity
    settled = ledger.settled(history.number, path, valid)
    return [
        Removed(now_s, path, seen.digest, settled.get(seen.digest[:32], frozenset()), to)
        for seen in messages.values()
    ]


def _some_folder(
    client: imaplib.IMAP4, naming: Naming, chance: random.Random
) -> tuple[FolderPath, str, dict[int, Seen]]:
    paths = [p for p in _paths(client, naming) if p in FOLDERS]
    path = chance.choice(sorted(paths))
    name = naming.wire_name(path)[1:-1]
    return path, name, read_folder(client, name)


def _read_at_rest(client: imaplib.IMAP4, name: str) -> dict[int, Seen]:
    """The messages of a folder once no append into it is in progress."""
    messages = read_folder(client, name)
    while True:
        time.sleep(AT_REST_S)
        again = read_folder(client, name)
        if again.keys() == messages.keys():
            return again
        messages = again


def _paths(client: imaplib.IMAP4, naming: Naming) -> list[FolderPath]:
    return [
        INBOX
        if name.upper() == "INBOX"
        else tuple(decode_utf7(part) for part in name.removeprefix(naming.prefix).split(naming.separator))
        for name in folder_names(client)
    ]


def _expunge(client: imaplib.IMAP4, name: str, uids: Sequence[int]) -> None:
    if not uids:
        return
    client.select(f'"{name}"')
    listed = ",".join(map(str, uids))
    client.uid("STORE", listed, "+FLAGS.SILENT", r"(\Deleted)")
    client.uid("EXPUNGE", listed)


def _uidvalidity(client: imaplib.IMAP4, quoted: str) -> int:
    answer = client.status(quoted, "(UIDVALIDITY)")[1][0]
    found = re.search(rb"UIDVALIDITY (\d+)", answer if isinstance(answer, bytes) else b"")
    return int(found[1]) if found else 0
