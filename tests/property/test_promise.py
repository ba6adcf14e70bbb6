"""The promise: nothing is lost, nothing is copied twice, nothing else is touched, whatever breaks on the way.

Any source, any prior destination, the connection lost before, during or after any command (the reply lost, or
the append landing late), any batch size, run until done.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from hypothesis import event, example, given
from hypothesis import strategies as st

from importer.domain.mailbox_content import KeywordRule, Message
from importer.domain.messages.message_body import whole
from importer.domain.model import ImportId
from tests.fakes.mailbox import Fault, MemoryMailbox
from tests.property.world import BODIES, COMMANDS, NOTICE, Strike, Watcher, World, expected

FOLDERS = ("INBOX", "Sent", "Projekte/Zürich")
FLAGS = ((), ("\\Seen",), ("\\Seen", "\\Flagged", "work"), ("\\Deleted", "$Forwarded"))
DATES = (" 2-Feb-1998 10:00:00 +0100", "23-Nov-2026 08:00:00 -0500")

Content = list[tuple[int, int, int, int]]
contents = st.lists(
    st.tuples(
        st.integers(0, len(FOLDERS) - 1),
        st.integers(0, len(BODIES) - 1),
        st.integers(0, len(FLAGS) - 1),
        st.integers(0, len(DATES) - 1),
    ),
    max_size=14,
)
faults = st.lists(st.tuples(st.sampled_from(COMMANDS), st.sampled_from(list(Fault))), max_size=6)
lanes = st.sampled_from([1, 1, 3])


def fill(mailbox: MemoryMailbox, content: Content) -> None:
    for folder, body, flags, date in content:
        mailbox.create(FOLDERS[folder]).add(FLAGS[flags], DATES[date], BODIES[body])


def check_tallies(world: World, watched: Watcher) -> None:
    tallies = watched.tallies
    shown = {name: len(f.messages) for name, f in world.source.folders.items()}
    for name, tally in tallies.items():
        assert tally.adds_up, tally
        assert tally.found == shown[name]
        assert tally.source_recount == shown[name]
        assert tally.confirmed == tally.copied
    assert set(tallies) == set(shown)


@given(
    source=contents,
    prior=contents,
    broken=faults,
    batch=st.integers(1, 5),
    legs_of=st.integers(0, 6),
    lanes=lanes,
)
@example(  # the reply to the first append is lost, and it lands during the check
    source=[(0, 5, 0, 0), (0, 6, 0, 0)],
    prior=[],
    broken=[("append", Fault.LATE)],
    batch=2,
    legs_of=3,
    lanes=1,
)
def test_nothing_is_lost_or_doubled_whatever_breaks(
    source: Content, prior: Content, broken: Sequence[Strike], batch: int, legs_of: int, lanes: int
) -> None:
    world = World()
    fill(world.source, source)
    fill(world.destination, prior)
    before = world.contents(world.destination)
    source_before = {
        name: dict(folder.messages) for name, folder in world.source.folders.items() if folder.messages
    }
    promise = expected(world.contents(world.source), before)
    prior_messages = {name: dict(folder.messages) for name, folder in world.destination.folders.items()}

    watched = world.run(batch=batch, legs_of=legs_of, lanes=lanes, faults=broken)

    assert world.contents(world.destination) == promise
    check_tallies(world, watched)
    for name, messages in prior_messages.items():  # prior messages stay as they are, flags included
        now = world.destination.folders[name].messages
        assert {uid: now.get(uid) for uid in messages} == messages
    assert source_before == {
        name: dict(folder.messages) for name, folder in world.source.folders.items() if folder.messages
    }
    copied = sum(tally.copied for tally in watched.tallies.values())
    assert copied == sum(sum(c.values()) for c in promise.values()) - sum(
        sum(c.values()) for c in before.values()
    )
    event(f"strikes: {len(broken)}")

    again = world.run(batch=batch, legs_of=legs_of, lanes=lanes)
    assert world.contents(world.destination) == promise
    check_tallies(world, again)
    assert all(tally.copied == 0 for tally in again.tallies.values())


@given(source=contents, broken=faults, batch=st.integers(1, 5))
@example(  # of two equal messages with other flags, the second is sent before the first is tried again
    source=[(0, 1, 0, 0), (0, 0, 0, 0), (0, 0, 1, 0)],
    broken=[("append", Fault.AFTER), ("append", Fault.BEFORE)],
    batch=1,
)
def test_flags_keywords_and_dates_arrive(source: Content, broken: Sequence[Strike], batch: int) -> None:
    world = World()
    world.destination.keywords = KeywordRule(any_keyword=False, known=frozenset({"work"}))
    fill(world.source, source)
    watched = world.run(batch=batch, faults=broken)
    dropped = droppable = 0  # by those that were certainly, and possibly, copied
    for name, folder in world.destination.folders.items():
        equal: defaultdict[bytes, list[Message]] = defaultdict(list)
        for message in world.source.folders[name].messages.values():
            equal[whole(message.body)].append(message)
        for message in folder.messages.values():
            # One of several equal messages is copied: the first one that the new host stores.
            copied = [
                one
                for one in equal[whole(message.body)]
                if message.internaldate == one.internaldate
                and set(message.flags) == set(one.flags) - {"$Forwarded"}
            ]
            assert copied
            dropped += all("$Forwarded" in one.flags for one in copied)
            droppable += any("$Forwarded" in one.flags for one in copied)
    reported = sum(tally.keywords_dropped for tally in watched.tallies.values())
    # A settled append counts none: which keywords were dropped from it is unknown.
    assert (0 if broken else dropped) <= reported <= droppable


@given(
    source=contents,
    refused=st.sets(st.sampled_from(BODIES)),
    broken=faults,
    batch=st.integers(1, 5),
    lanes=lanes,
)
@example(  # half an append, and the checks of its outcome fail too
    source=[(0, 0, 0, 0), (2, 0, 0, 0)],
    refused={BODIES[2]},
    broken=[
        ("append", Fault.DURING),
        ("uids", Fault.AFTER),
        ("uids", Fault.BEFORE),
        ("uids", Fault.BEFORE),
    ],
    batch=1,
    lanes=1,
)
def test_a_refused_message_is_reported_and_stops_nothing(
    source: Content, refused: set[bytes], broken: Sequence[Strike], batch: int, lanes: int
) -> None:
    world = World()
    world.destination.refuses = lambda body: "it does not like it" if body in refused else None
    fill(world.source, source)
    watched = world.run(batch=batch, lanes=lanes, faults=broken)
    shown = world.contents(world.source)
    assert world.contents(world.destination) == expected(shown, {}, [NOTICE, *refused])
    check_tallies(world, watched)
    refusals = world.store.refusals(ImportId("import1"))
    assert {(r.folder, r.uid) for r in refusals} == {
        (name, uid)
        for name, folder in world.source.folders.items()
        for uid, message in folder.messages.items()
        if message.body in refused - {NOTICE}
    }
