"""A destination without room for one folder: the others are copied, and the import says which one is full."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from importer.compact.uid_set import UidSet
from importer.domain.mailbox_content import AppendResult, FolderRef, Outgoing
from importer.domain.messages.message_body import whole
from importer.domain.planning.retry_limits import MOST_WITHOUT_ROOM
from importer.ports.mailbox_errors import QuotaExceeded
from providers.errors import Side
from providers.text import Text
from tests.fakes.mailbox import MemoryFolder, MemoryReader, MemoryWriter
from tests.property.world import Watcher, World, mail

DATE = "02-Feb-1998 10:00:00 +0100"
FOLDERS = {"INBOX": 8, "Sent": 6, "Archive": 4, "Drafts": 2}


def body(folder: str, number: int) -> bytes:
    return mail(f"{folder} {number}", "text", f"{folder}{number}")


@pytest.fixture
def world() -> World:
    world = World()
    for folder, messages in FOLDERS.items():
        for number in range(messages):
            world.source.create(folder).add((), DATE, body(folder, number))
    return world


@contextmanager
def full(world: World, is_full: Callable[[str, int], bool]) -> Iterator[list[str]]:
    """The destination has no room for a message in a folder that holds so many already. Yields the folders
    for which it said so."""
    stored, refused = MemoryWriter._stored, list[str]()

    def stores(session: MemoryWriter, target: MemoryFolder, message: Outgoing) -> AppendResult:
        (name,) = (name for name, one in world.destination.folders.items() if one is target)
        if is_full(name, len(target.messages)):
            refused.append(name)
            raise QuotaExceeded(Text("destination_full", host="memory"), side=Side.DESTINATION)
        return stored(session, target, message)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryWriter, "_stored", stores)
        yield refused


def there(world: World) -> dict[str, int]:
    return {name: len(folder.messages) for name, folder in world.destination.folders.items()}


def stopped(world: World, *, lanes: int = 1, batch: int = 2) -> Text:
    with pytest.raises(QuotaExceeded) as caught:
        world.run(legs_of=100, lanes=lanes, batch=batch)
    return caught.value.text


@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("name", ["INBOX", "Sent", "Archive"])
def test_other_folders_are_copied_and_the_full_one_is_named(world: World, name: str, lanes: int) -> None:
    with full(world, lambda folder, number: folder == name and number >= 3) as refused:
        text = stopped(world, lanes=lanes)
    assert there(world) == {**FOLDERS, name: 3}
    named = Text("destination_full.folder", folder=name, number=FOLDERS[name] - 3, host="memory")
    # Other lanes may store all the rest before the folder is full: it is then the last one, see below.
    assert text == named or (lanes > 1 and text.code == "destination_full")
    assert set(refused) == {name}


def test_what_was_left_is_copied_once_there_is_room(world: World) -> None:
    with full(world, lambda folder, number: folder == "Sent" and number >= 3):
        stopped(world)
    tallies = world.run().tallies
    assert there(world) == FOLDERS
    assert (tallies["Sent"].copied, tallies["Sent"].present) == (3, 3)
    for name, messages in world.contents(world.destination).items():
        assert messages == {body(name, number): 1 for number in range(FOLDERS[name])}


def test_a_full_mailbox_is_asked_for_a_handful_of_folders(world: World) -> None:
    for number in range(30):
        for message in range(20):
            world.source.create(f"List {number:02d}").add((), DATE, body(f"List {number}", message))
    sent: list[int] = []
    begin = MemoryWriter.begin_append

    def counted(session: MemoryWriter, folder: FolderRef, messages: Sequence[Outgoing]) -> Any:
        sent.append(len(messages))
        return begin(session, folder, messages)

    with full(world, lambda _folder, _number: True) as refused, pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryWriter, "begin_append", counted)
        assert stopped(world, batch=20) == Text("destination_full", host="memory")
    assert not sum(there(world).values())
    assert len(set(refused)) == MOST_WITHOUT_ROOM
    assert sent[0] == 20
    assert max(sent[2:]) <= 2  # the second batch was read before the first was refused


def test_mail_that_is_there_already_is_read_in_whole_batches_beside_a_full_folder(world: World) -> None:
    """Nothing is stored that would prove that there is room."""
    del world.source.folders["Archive"]
    for number in range(400):
        for mailbox in (world.source, world.destination):
            mailbox.create("Archive").add((), DATE, body("List", number))
    del world.source.folders["Sent"], world.source.folders["Drafts"]
    for number in range(500):
        world.source.folders["INBOX"].add((), DATE, body("INBOX", 100 + number))
    reads, messages = 0, MemoryReader.messages

    def counted(session: MemoryReader, folder: FolderRef, uids: UidSet) -> Any:
        nonlocal reads
        reads += session.side is Side.SOURCE and folder.name == "Archive"
        return messages(session, folder, uids)

    with full(world, lambda _folder, _number: True), pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryReader, "messages", counted)
        stopped(world, batch=100)
    assert reads < 20


def test_a_full_mailbox_of_few_folders_is_not_called_one_of_full_folders(world: World) -> None:
    with full(world, lambda _folder, _number: sum(there(world).values()) >= 5) as refused:
        assert stopped(world) == Text("destination_full", host="memory")
    assert sum(there(world).values()) == 5
    assert set(refused) == set(FOLDERS)


@pytest.mark.parametrize("lanes", [1, 3])
def test_two_folders_that_are_full_from_the_start_do_not_stop_a_third(world: World, lanes: int) -> None:
    with full(world, lambda folder, _number: folder in ("INBOX", "Sent")):
        text = stopped(world, lanes=lanes)
    assert there(world) == {**FOLDERS, "INBOX": 0, "Sent": 0}
    assert text.code == ("destination_full.folder" if lanes == 1 else text.code)
    if lanes == 1:
        assert (text.params["folder"], text.params["number"]) == ("INBOX, Sent", 14)


def test_the_last_folder_alone_does_not_tell_whether_the_mailbox_is_full(world: World) -> None:
    with full(world, lambda folder, _number: folder == "Drafts"):
        assert stopped(world).code == "destination_full"
    assert there(world) == {**FOLDERS, "Drafts": 0}


def test_two_full_folders_are_named_if_mail_is_stored_in_between(world: World) -> None:
    with full(world, lambda folder, number: folder in ("INBOX", "Archive") and number >= 3):
        text = stopped(world)
    assert there(world) == {**FOLDERS, "INBOX": 3, "Archive": 3}
    assert text.params["folder"] == "INBOX, Archive"
    assert text.params["number"] == 6


def test_the_tally_of_a_full_folder_adds_up_with_what_is_left(world: World) -> None:
    watched: list[Watcher] = []
    planned = Watcher.planned

    def keep(watcher: Watcher, *rest: object) -> object:
        watched.append(watcher)
        return planned(watcher, *rest)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Watcher, "planned", keep)
        with full(world, lambda folder, number: folder == "Sent" and number >= 3):
            stopped(world)
    tally = watched[-1].tallies["Sent"]
    assert (tally.found, tally.copied, tally.failed, tally.still_to_do) == (6, 3, 0, 3)
    assert whole(next(iter(world.destination.folders["Sent"].messages.values())).body) == body("Sent", 0)
