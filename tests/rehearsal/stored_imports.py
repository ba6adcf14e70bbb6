"""Imports in every state in the database of an installation, without a mail server, to test front ends.

Addresses of up to 60 characters and folder names of up to 190, as they occur.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from importer.adapters.store import SqlStore, open_engine
from importer.adapters.store.schema import migrate
from importer.compact.uid_set import Uid, UidValidity
from importer.domain.messages.skip_reason import SkipReason
from importer.domain.model import Account, Batch, BatchId, Import, ImportId, Phase, Problem, Progress, State
from importer.domain.receipts.folder_tally import FolderTally, Refusal
from providers.endpoint import Endpoint
from providers.errors import Side
from providers.text import Text

LONG_NAME: Final = "beatrice.long-surname-with-many-parts.and-another-one@a"
LONG_FOLDER: Final = "Familie & Freunde/" + "Ein sehr langer Ordnername/" * 6 + "2024"
BEGAN: Final = datetime(2026, 11, 29, 10, 0, tzinfo=UTC)
FIRST_BATCH: Final = BatchId("kestrelbatch")
SECOND_BATCH: Final = BatchId("kestrelother")
OTHER_OWNER: Final = "mailbox:mia@neuhost.example imap.neuhost.example"

_PROGRESS: Final = Progress("INBOX/Rechnungen", 3, 10, 12_345, 67_890, 1_234_567_890, Phase.COPYING)
_PROBLEMS: Final = {
    State.STOPPED: Problem(
        Text("login_rejected.wrong_password", host="imap.firma.example"),
        Side.SOURCE,
        "[AUTHENTICATIONFAILED] Authentication failed.",
    ),
    State.WAITING: Problem(Text("server_unavailable", host="imap.firma.example"), Side.SOURCE),
    State.FAILED: Problem(Text("internal"), None),
}


def account(local: str, host: str) -> Account:
    """A mailbox at imap.HOST."""
    address = local if "@" in local else f"{local}@{host}"
    return Account(address, address, Endpoint(f"imap.{host}", 993))


def imports() -> list[Import]:
    """One import in each state, then five complete ones with ordinary addresses: rows 2 to 15."""
    states = [*State, *[State.COMPLETE] * 5]
    found = []
    for row, state in enumerate(states, start=2):
        local = f"{LONG_NAME}{row:x}.example" if row % 3 == 0 else f"mitarbeiter{row:02}"
        found.append(
            Import(
                id=ImportId(f"rax{row:02}97z7mk2"),
                source=account(local, "firma.example"),
                destination=account(local.replace("@a", "@b"), "neuhost.example"),
                created_at=BEGAN,
                batch_id=FIRST_BATCH,
                row=row,
                state=state,
                problem=_PROBLEMS.get(state),
                not_before=BEGAN + timedelta(days=900) if state is State.WAITING else None,
                progress=Progress() if state is State.QUEUED else _PROGRESS,
                started_at=None if state is State.QUEUED else BEGAN,
            )
        )
    return found


def tallies() -> list[FolderTally]:
    """The tallies of a stopped import: every column of the report has a number, and one folder has a very
    long name."""
    return [
        FolderTally(
            "INBOX",
            "INBOX",
            123_456,
            100_000,
            20_000,
            56,
            {SkipReason("before_date", "2020-01-31"): 400},
            1_000,
            gone=7,
        ),
        FolderTally("Gesendet", "Sent", 1_500, 1_499, failed=1),
        FolderTally(LONG_FOLDER, LONG_FOLDER, 12_000, 11_000),
    ]


def fill(data: Path) -> SqlStore:
    """Create the database of an installation in `data` with `imports`, a second batch of another owner, and
    the tallies and a refusal of the stopped import."""
    data.mkdir(parents=True, exist_ok=True)
    url = f"sqlite:///{data}/mailhaul.db"
    migrate(url)
    store = SqlStore(open_engine(url))
    rows = imports()
    ids = tuple(i.id for i in rows)
    batch = Batch(FIRST_BATCH, BEGAN, "people.csv", "admin@neuhost.example", ids)
    store.add_batch(batch, [(i, None) for i in rows])
    other = replace(
        rows[0],
        id=ImportId("otherimport2"),
        source=account("mia", "gmx.example"),
        destination=account("mia", "neuhost.example"),
        batch_id=SECOND_BATCH,
        created_at=BEGAN + timedelta(hours=1),
        row=0,
    )
    batch = Batch(SECOND_BATCH, other.created_at, "", "", (other.id,), OTHER_OWNER)
    store.add_batch(batch, [(other, None)])
    stopped = next(i for i in rows if i.state is State.STOPPED)
    incomplete = next(i for i in rows if i.state is State.INCOMPLETE)
    for import_ in (stopped, incomplete):
        lease = store.acquire(f"import:{import_.id}", "test", timedelta(minutes=5))
        assert lease is not None
        store.save_tallies(import_.id, tallies(), lease, progress=_PROGRESS)
        refusal = Refusal(
            import_.id,
            LONG_FOLDER,
            UidValidity(1),
            Uid(4),
            Text("too_large"),
            "Tue, 05 May 2020 00:00:00 +0000",
            "Fotos vom Sommerfest der Abteilung mit allen Anhängen, zweiter Versuch",
            60_000_000,
        )
        store.record(import_.route, LONG_FOLDER, [], [refusal], lease)
        store.release(lease)
    return store
