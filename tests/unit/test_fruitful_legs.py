"""Progress never runs backwards from leg to leg, and a leg that copied something is not fruitless."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from importer.domain.model import State
from importer.engine.leg_context import TransferLimits
from importer.service.deps import Deadlines
from tests.unit.test_service import Office


def one_by_one(office: Office, seconds: int) -> None:
    """Each message takes a second, and a leg that many."""
    office.deps = replace(
        office.deps,
        transfer_limits=TransferLimits(batch_messages=1),
        deadlines=Deadlines(leg=timedelta(seconds=seconds)),
    )
    office.new.refuses = lambda _body: office.clock.sleep(1)


def test_no_more_is_done_than_there_is() -> None:
    office = Office()
    one_by_one(office, seconds=4)
    _, import_id = office.submit()
    office.work(import_id)
    inbox = office.old.folders["INBOX"]
    for uid in sorted(inbox.messages)[:3]:
        del inbox.messages[uid]
    progress = office.work(import_id).progress
    assert 0 < progress.messages_done <= progress.messages_total


def test_progress_grows_from_leg_to_leg() -> None:
    office = Office()
    one_by_one(office, seconds=1)
    _, import_id = office.submit()
    reached = [0]
    while (import_ := office.work(import_id)).state is State.RUNNING:
        reached.append(import_.progress.messages_done)
        assert import_.attempts == 0
    assert reached == sorted(reached)
    assert (import_.state, len(reached) > 2) == (State.COMPLETE, True)
