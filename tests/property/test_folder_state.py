"""State of a folder that lanes share: in any order of their work, no content is copied twice concurrently."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.compact.uid_set import Uid, UidSet, UidValidity
from importer.domain.mailbox_content import FolderRef, KeywordRule
from importer.domain.messages.message_decision import Findings, NextStep, Settle
from importer.domain.messages.message_identity import digest
from importer.domain.messages.message_key import MessageKey
from importer.domain.model import Batch, BatchId, Import, ImportId
from importer.domain.planning.message_batches import MessageBatch
from importer.domain.receipts.folder_history import FolderHistory
from importer.domain.receipts.folder_tally import Refusal, RefusalCode
from importer.domain.receipts.receipt import Outcome, Receipt
from importer.engine.copy_target import Target
from importer.engine.doubts import SAMPLE
from importer.engine.existing_mail import ExistingMail
from importer.engine.leg_context import Leg
from importer.engine.owned_folder_state import OwnedFolderState
from importer.ports.mailbox_errors import FolderUnusable
from providers.errors import Side
from providers.text import Text
from tests.property.world import DESTINATION, SOURCE, Batches, Watcher, World
from tests.rehearsal.ports import PATIENCE_S

SOURCE_FOLDER = FolderRef("INBOX", UidValidity(1))
FOLDER = FolderRef("INBOX", UidValidity(2))
NOTHING = Findings()


class LaneWorld(World):
    """A folder with nothing in it, and its state."""

    @contextmanager
    def state(self) -> Iterator[OwnedFolderState]:
        import_ = Import(ImportId("import1"), SOURCE, DESTINATION, self.clock.now())
        batch = Batch(BatchId(import_.id), self.clock.now(), "", "", (import_.id,))
        self.store.add_batch(batch, [(import_, None)])
        lease, lane = self._lease(), self._lane(0)
        leg = Leg(
            import_,
            lane,
            self._lane,
            self.store,
            lease,
            Batches(99),
            Watcher(),
            self.clock,
            lambda _header: False,
        )
        history = FolderHistory(import_.id, SOURCE_FOLDER, FOLDER)
        state = OwnedFolderState(leg, history, FOLDER.name, labels=False)
        existing = ExistingMail(lane.destination, FOLDER, UidSet())
        state.open(Target(SOURCE_FOLDER, FOLDER, KeywordRule(), None, existing), Uid(1))
        yield state
        self.store.release(lease)


def key(uid: int, content: int) -> MessageKey:
    return MessageKey(Uid(uid), 1, b"", digest(b"%d" % content))


def copied(keys: list[MessageKey]) -> Receipt:
    uids = tuple(key.uid for key in keys)
    digests = b"".join(key.digest for key in keys)
    return Receipt(ImportId("import1"), SOURCE_FOLDER, uids, Outcome.COPIED, FOLDER, uids, digests)


@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(0, 4), min_size=1, max_size=4), st.sampled_from(["stored", "lost", "open"])
        ),
        max_size=12,
    )
)
def test_a_content_is_copied_once_whatever_lanes_do(batches: list[tuple[list[int], str]]) -> None:
    """Each batch is claimed, and then stored; lost, so that its claims remain; or refused."""
    with LaneWorld().state() as state:
        claimed: set[bytes] = set()
        stored: set[bytes] = set()
        uid = 0
        for contents, fate in batches:
            keys = [key(uid + at, content) for at, content in enumerate(contents)]
            uid += len(keys)
            new: list[MessageKey] = []
            for message, decision in zip(keys, state.claim(keys, {}, NOTHING, ()), strict=True):
                if decision is NextStep.COPY:
                    assert message.digest not in claimed | stored
                    assert message.digest not in {other.digest for other in new}
                    new.append(message)
                elif decision is NextStep.FOLLOW:
                    assert message.digest in {other.digest for other in new}
                elif decision is NextStep.DEFER:
                    assert message.digest in claimed
                else:
                    assert decision == Settle(Outcome.DUPLICATE)
                    assert message.digest in stored
            digests = {message.digest for message in new}
            if fate == "lost":
                claimed |= digests
            else:
                stored |= digests if fate == "stored" else set()
                state.record([copied(new)] if new and fate == "stored" else [], [], releases=digests)
        settled, open_ = state.take_deferred()
        assert {message.digest for message, _ in settled} <= stored
        assert {message.digest for message in open_} <= claimed
        assert state.take_deferred() == ([], [])


def test_lanes_that_meet_the_same_contents_claim_each_of_them_once() -> None:
    """Without the lock, two threads would claim the same content."""
    rounds, contents, lanes = 60, 50, 4
    copies: list[bytes] = []
    ready = threading.Barrier(lanes)
    interval = sys.getswitchinterval()
    with LaneWorld().state() as state:

        def work(lane: int) -> None:
            for at in range(0, rounds * contents, contents):
                messages = [
                    key(lane * rounds * contents + content, content) for content in range(at, at + contents)
                ]
                ready.wait(PATIENCE_S)
                for message, decision in zip(messages, state.claim(messages, {}, NOTHING, ()), strict=True):
                    if decision is NextStep.COPY:
                        copies.append(message.digest)

        sys.setswitchinterval(1e-6)
        try:
            threads = [threading.Thread(target=work, args=(lane,)) for lane in range(lanes)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(interval)
    assert len(copies) == len(set(copies)) == rounds * contents


def test_a_batch_that_is_put_back_after_the_pass_has_ended_is_not_read() -> None:
    with LaneWorld().state() as state:
        state.trouble(FolderUnusable(Text("folder_unusable", folder="INBOX"), side=Side.SOURCE))
        state.put_back(MessageBatch(UidSet.of((1, 2)), 2))
        assert state.take() is None


@contextmanager
def refused_once(number: int) -> Iterator[tuple[OwnedFolderState, UidSet]]:
    """A pair whose messages the destination refused once, and their UIDs from the second one on."""
    uids = UidSet.from_ranges([(1, number)])
    with LaneWorld().state() as state:
        for uid in uids:
            state.doubt_refused(refusal(uid, RefusalCode.NOT_TAKEN))
        yield state, uids - UidSet.of((1,))


def refusal(uid: Uid, code: RefusalCode) -> Refusal:
    return Refusal(ImportId("import1"), "INBOX", UidValidity(1), uid, Text("not_taken"), code=code)


@pytest.mark.parametrize("outcome", [None, Outcome.SKIPPED, Outcome.DUPLICATE, Outcome.COPIED])
def test_only_a_stored_message_shows_that_a_server_takes_what_it_refused(outcome: Outcome | None) -> None:
    """None: the message could not be read for its second attempt."""
    with refused_once(2 * SAMPLE) as (state, rest):
        if outcome is None:
            state.leave(UidSet.of((1,)))
        else:
            state.add([replace(copied([key(1, 1)]), outcome=outcome)])
        _, in_doubt, _, alone = state.sort_doubts(rest)
        assert in_doubt == rest
        assert len(alone) == (len(rest) if outcome is Outcome.COPIED else SAMPLE)


@pytest.mark.parametrize("code", [RefusalCode.NOT_HANDED_OUT, RefusalCode.NOT_TAKEN])
def test_only_a_second_refusal_confirms_the_first(code: RefusalCode) -> None:
    """A message that the source did not deliver was not sent again."""
    with refused_once(3) as (state, rest):
        state.add([], [refusal(Uid(1), code)])
        believed, in_doubt, _, _ = state.sort_doubts(rest)
        assert [one.uid for one in believed] == ([2, 3] if code is RefusalCode.NOT_TAKEN else [])
        assert in_doubt == rest - UidSet.of(one.uid for one in believed if one.uid is not None)
