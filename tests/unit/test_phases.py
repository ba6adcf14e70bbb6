"""The phases of a leg: each is reported with its count, stored at most once a second, and shown in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from importer.domain.model import Account, Import, ImportId, Phase, Progress, State
from importer.i18n.phase_texts import phase_text
from importer.i18n.translations import texts
from importer.ports.leases import Lease
from importer.service.legs.progress_recorder import ProgressRecorder
from importer.web.api.response_schemas import import_out
from importer.web.live_progress import Snapshot
from importer.web.view_models import import_view
from providers.endpoint import Endpoint
from tests.property.world import Watcher, World

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
FOLDERS = 12
DATE = "01-Jan-2024 12:00:00 +0000"
ACCOUNT = Account("ada@old.example", "ada", Endpoint("imap.old.example", 993))


def an_import(state: State) -> Import:
    return Import(ImportId("one"), ACCOUNT, ACCOUNT, NOW, state=state)


class Recording(Watcher):
    """Keeps all that was reported."""

    def __init__(self) -> None:
        super().__init__()
        self.reported: list[Progress] = []

    def progressed(self, progress: Progress) -> None:
        self.reported.append(progress)
        super().progressed(progress)


def test_each_phase_is_reported_with_its_count(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    for number in range(FOLDERS):
        world.source.create(f"Folder {number:02}").add((), DATE, b"Subject: %d\r\n\r\ntext" % number)
    watcher = Recording()
    monkeypatch.setattr("tests.property.world.Watcher", lambda: watcher)
    world.run(legs_of=99)
    phases = list(dict.fromkeys(progress.phase for progress in watcher.reported))
    assert phases == [Phase.READING_FOLDERS, Phase.MAKING_FOLDERS, Phase.COPYING, Phase.RECOUNTING]
    folders = FOLDERS + 1  # with INBOX
    last = {progress.phase: (progress.phase_done, progress.phase_total) for progress in watcher.reported}
    assert last[Phase.READING_FOLDERS] == (folders, folders)
    assert last[Phase.MAKING_FOLDERS] == (FOLDERS, FOLDERS)
    assert last[Phase.RECOUNTING] == (folders, folders)
    first_copying = next(one for one in watcher.reported if one.phase is Phase.COPYING)
    assert (first_copying.messages_done, first_copying.messages_total) == (0, FOLDERS)
    before_any = [one for one in watcher.reported if one.phase is Phase.COPYING and not one.messages_done]
    assert before_any[-1].folder.startswith("Folder"), "the folder is named before its first batch is stored"


class Writes:
    """A store that counts what it is asked to write."""

    def __init__(self) -> None:
        self.progress: list[Progress] = []

    def save_tallies(self, *_values: object, progress: Progress | None) -> None:
        if progress is not None:
            self.progress.append(progress)


class StoppedClock:
    def __init__(self) -> None:
        self.time = NOW

    def elapsed_s(self) -> float:
        return self.time.timestamp()


def test_a_phase_is_written_within_a_second_and_at_most_once_a_second() -> None:
    store, clock = Writes(), StoppedClock()
    recorder = ProgressRecorder(store, ImportId("one"), Lease("import:one", "here", 1), clock)  # type: ignore[arg-type]
    for done in range(50):
        recorder.progressed(Progress(phase=Phase.READING_FOLDERS, phase_done=done, phase_total=50))
    assert store.progress == []
    clock.time += timedelta(seconds=1)
    recorder.flush_due()  # nothing else is reported meanwhile
    recorder.flush_due()
    assert [progress.phase_done for progress in store.progress] == [49]
    clock.time += timedelta(seconds=1)
    recorder.flush_due()  # nothing has changed
    assert len(store.progress) == 1


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (Progress(), "Connecting."),
        (Progress(phase=Phase.READING_FOLDERS), "Reading folders."),
        (Progress(phase=Phase.READING_FOLDERS, phase_done=37), "Reading folders: 37."),
        (
            Progress(phase=Phase.READING_FOLDERS, phase_done=37, phase_total=2004),
            "Reading folders: 37 of 2,004.",
        ),
        (
            Progress(phase=Phase.MAKING_FOLDERS, phase_done=5, phase_total=9),
            "Creating folders: 5 of 9.",
        ),
        (Progress(phase=Phase.COPYING, messages_total=5), "Copying."),
        (
            Progress(phase=Phase.RECOUNTING, phase_done=1, phase_total=3),
            "Counting folders again: 1 of 3.",
        ),
    ],
)
def test_page_and_api_show_the_phase(progress: Progress, words: str) -> None:
    import_ = replace(an_import(State.RUNNING), progress=progress)
    assert phase_text(texts("en"), import_) == words
    shown = import_view(texts("en"), Snapshot(import_), NOW).sentence
    assert shown == ("" if progress.phase is Phase.COPYING else words)
    told = import_out(texts("en"), import_, NOW).progress
    assert (told.phase, told.phase_done, told.phase_total, told.phase_text) == (
        progress.phase,
        progress.phase_done,
        progress.phase_total,
        words,
    )


def test_the_count_is_in_the_readers_language() -> None:
    import_ = replace(
        an_import(State.RUNNING),
        progress=Progress(phase=Phase.READING_FOLDERS, phase_done=37, phase_total=2004),
    )
    assert phase_text(texts("de"), import_) == "Ordner werden gelesen: 37 von 2.004."
