"""The console at 80 by 24, in a real terminal, and in a pipe: nothing that matters is cut."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from importer.domain.model import Phase, Progress, State
from importer.i18n.translations import LANGUAGES
from tests.rehearsal.installation import CONSOLE, Installation
from tests.rehearsal.stored_imports import FIRST_BATCH, LONG_FOLDER, fill, imports
from tests.rehearsal.terminal import Seen, cells, in_terminal

IDS = {import_.id: import_ for import_ in imports()}
STOPPED, INCOMPLETE, PAUSED, RUNNING = (
    next(id_ for id_, import_ in IDS.items() if import_.state is state)
    for state in (State.STOPPED, State.INCOMPLETE, State.PAUSED, State.RUNNING)
)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """One with imports in every state, which no command here changes."""
    installation = Installation(tmp_path_factory.mktemp("installation"))
    fill(installation.data).close()
    return installation


@pytest.fixture
def terminal(installation: Installation) -> Callable[..., Seen]:
    def run(*words: str, **environment: str) -> Seen:
        return in_terminal([*CONSOLE, *words], installation.environment() | environment)

    return run


def fits(seen: Seen) -> None:
    assert [line for line in seen.lines if cells(line) > 80] == []


@pytest.mark.parametrize(
    ("words", "language"), [*((("list",), language) for language in LANGUAGES), (("show", FIRST_BATCH), "fr")]
)
def test_no_id_state_or_reason_is_cut(
    terminal: Callable[..., Seen], words: tuple[str, ...], language: str
) -> None:
    seen = terminal(*words, "--language", language)
    fits(seen)
    assert "…" not in re.sub("“[^”]*”", "", seen.text)
    rows = {line.split()[0]: line for line in seen.lines if line.startswith("rax")}
    assert rows.keys() == IDS.keys()
    for id_, import_ in IDS.items():
        address = seen.text[seen.text.index(id_) :]
        assert import_.source.address in address[:200]
        assert len(rows[id_].split("  ")) >= 2
    reason = next(i for i, line in enumerate(seen.lines) if line.startswith(STOPPED)) + 2
    assert seen.lines[reason].startswith("  "), "the reason has a line of its own below the addresses"
    assert "imap.firma.example" in seen.lines[reason] + seen.lines[reason + 1]


def test_the_batch_is_shown_in_the_list_alone(terminal: Callable[..., Seen]) -> None:
    assert terminal("list").text.count(FIRST_BATCH) == len(IDS)
    assert FIRST_BATCH not in terminal("show", FIRST_BATCH).text.splitlines()[0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_report_shows_every_number_and_every_folder(terminal: Callable[..., Seen], language: str) -> None:
    seen = terminal("report", STOPPED, "--language", language)
    fits(seen)
    assert seen.code == 3
    assert LONG_FOLDER.replace(" ", "") in re.sub(r"\s", "", seen.text)
    numbers = [
        [int(re.sub(r"\D", "", cell) or 0) for cell in re.split(r"\s{2,}", line.strip())]
        for line in seen.lines
        if re.fullmatch(r"(?:\s{2,}(?:[\d.,\u00a0\u202f’]+|·)){8}", line)
    ]
    assert len(numbers) == 4, "three folders, and all"
    for found, *others in numbers:
        assert found == sum(others), "found is what the other columns add up to, also after a stop"
    assert numbers[-1] == [136956, 112499, 20000, 7, 56, 400, 1001, 2993]
    assert not re.search(r"\n +(2020|00:00)", seen.text), "the date of a message stands on one line"


def test_folder_names_stand_beside_their_numbers_if_there_is_room(installation: Installation) -> None:
    seen = in_terminal([*CONSOLE, "report", STOPPED], installation.environment(), columns=200)
    [inbox] = [line for line in seen.lines if line.startswith("INBOX")]
    assert "123,456" in inbox


def test_a_batch_ends_with_what_needs_somebody_and_the_command(terminal: Callable[..., Seen]) -> None:
    for command in ("show", "report"):
        seen = terminal(command, FIRST_BATCH)
        fits(seen)
        end = seen.text[seen.text.index("4 need somebody:") :]
        for said in (
            f"mailhaul retry {STOPPED}",
            f"mailhaul report {INCOMPLETE}",
            f"mailhaul resume {PAUSED}",
            "did not accept the user name or the password",
        ):
            assert said in end, (command, said)
        assert end.index(STOPPED) < end.index(INCOMPLETE) < end.index(PAUSED), "what stopped comes first"
        assert RUNNING not in end


def test_ids_may_be_shortened_and_candidates_are_named(terminal: Callable[..., Seen]) -> None:
    assert STOPPED in terminal("show", STOPPED[:5]).text
    assert terminal("show", FIRST_BATCH[:8]).text.count("@") > len(IDS)
    for command in ("report", "retry"):
        seen = terminal(command, "rax")
        assert seen.code == 2
        assert "Several ids begin with rax: rax0297z7mk2, " in seen.text.replace("\n", " ")
    seen = terminal("undo", "owl", "--language", "de")
    assert seen.code == 2
    assert "Kein Import und kein Auftrag beginnt mit owl" in seen.text.replace("\n", " ")


def test_the_list_is_filtered_and_says_that_there_is_more(
    installation: Installation, terminal: Callable[..., Seen]
) -> None:
    def listed(*words: str) -> list[str]:
        return [import_["id"] for import_ in installation.json("list", *words)]

    assert listed("--address", "MIA@gmx") == ["otherimport2"]
    assert listed("--owner", "mia@neuhost") == ["otherimport2"]
    assert set(listed("--owner", "admin@neuhost")) == IDS.keys()
    assert set(listed("--batch", FIRST_BATCH[:9])) == IDS.keys()
    assert listed("--batch", FIRST_BATCH, "--address", "mitarbeiter", "--state", "stopped") == [STOPPED]
    assert set(listed("--search", "admin@neuhost")) == IDS.keys()
    assert STOPPED in listed("--reason", "login_rejected", "--host", "imap.firma.example")
    assert listed("--newer", "1m", "--older", "1m") == []
    seen = terminal("list", "--batch", FIRST_BATCH, "--count")
    fits(seen)
    assert f"{len(IDS)}  in total" in seen.text
    counts = installation.json("list", "--batch", FIRST_BATCH, "--count")
    assert sum(count["imports"] for count in counts) == len(IDS)
    assert {"state": "stopped", "reason": "login_rejected", "imports": 1} in counts
    assert "no age such as 30m" in terminal("list", "--older", "soon").text
    pages: list[str] = []
    after: tuple[str, ...] = ()
    while page := listed("--limit", "5", *after):
        pages += page
        after = ("--after", page[-1])
    assert pages == listed()
    seen = terminal("list", "--limit", "3")
    assert "There are more. The next ones: add `--after rax0397z7mk2`." in seen.text
    assert "There are more" not in terminal("list").text
    assert "No import matches." in terminal("list", "--address", "nobody@").text


def test_in_a_pipe_there_are_no_colours_and_no_ends_of_lines(installation: Installation) -> None:
    for words in (("list",), ("show", FIRST_BATCH), ("report", STOPPED)):
        shown = installation.run(*words, ends=None).stdout
        assert "\x1b" not in shown
        stopped = IDS[STOPPED]
        assert f"{stopped.source.address} → {stopped.destination.address}" in shown
        assert any(
            "Check both; many providers require an app password." in line for line in shown.splitlines()
        )
    assert LONG_FOLDER in shown


def test_colours_only_at_a_terminal_that_wants_them(terminal: Callable[..., Seen]) -> None:
    coloured = re.compile(r"\x1b\[(?:\d+;)*3\dm")
    assert coloured.search(terminal("list").raw)
    assert not coloured.search(terminal("list", NO_COLOR="1").raw)


def test_watch_shows_speed_and_time_left_and_fits(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    store = fill(installation.data)
    lease = store.acquire(f"import:{RUNNING}", "test", timedelta(minutes=5))
    assert lease is not None
    shown = threading.Event()

    def copy() -> None:
        done = 10_000
        while not shown.wait(0.3):
            done += 1
            progress = Progress("INBOX/Rechnungen", 3, 10, done, 20_000, done * 50_000, Phase.COPYING)
            store.save_tallies(RUNNING, [], lease, progress=progress)
        import_ = store.import_(RUNNING)
        assert import_ is not None
        store.update_import(replace(import_, state=State.COMPLETE), lease)

    def watched(output: str) -> None:
        if re.search(r"B/s · \d+ \w+ left", output):
            shown.set()

    copier = threading.Thread(target=copy)
    copier.start()
    try:
        seen = in_terminal([*CONSOLE, "watch", RUNNING], installation.environment(), on_output=watched)
    finally:
        shown.set()
        copier.join()
        store.close()
    fits(seen)
    assert seen.code == 0
    assert re.search(r"INBOX/Rechnungen · [\d.]+\s[kM]B/s · \d+ \w+ left", seen.text)
    assert "Complete" in seen.lines[-3]


@pytest.mark.skipif(sys.platform != "linux", reason="bash")
def test_a_shell_completes_ids_and_nothing_is_created(installation: Installation, tmp_path: Path) -> None:
    def completed(*words: str, data: Path) -> list[str]:
        environment = installation.environment() | {
            "_MAILHAUL_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(("mailhaul", *words)),
            "COMP_CWORD": str(len(words)),
            "MAILHAUL_DATA": str(data),
        }
        shown = Installation(tmp_path).run(environment=environment, ends=None).stdout
        return [line.partition(",")[2] for line in shown.splitlines() if line]

    assert completed("show", STOPPED[:5], data=installation.data) == [STOPPED]
    assert set(completed("watch", "kestrel", data=installation.data)) == {"kestrelbatch", "kestrelother"}
    assert completed("list", "--batch", "kestrelb", data=installation.data) == [FIRST_BATCH]
    assert completed("show", "r", data=tmp_path / "nowhere") == []
    assert not (tmp_path / "nowhere" / "mailhaul.db").exists()


@pytest.mark.sampled(2, of="language")
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("words", [("doctor",), ("explain", RUNNING), ("hosts",), ("top", "--once")])
def test_no_line_is_wider_than_the_terminal_and_no_word_is_broken(
    installation: Installation, words: tuple[str, ...], language: str
) -> None:
    environment = installation.environment() | {"MAILHAUL_LANGUAGE": language}
    seen, wide = (in_terminal([*CONSOLE, *words], environment, columns=width) for width in (80, 400))
    fits(seen)
    narrow_words, wide_words = (
        [word for word in shown.text.split() if word != "·"]
        for shown in (seen, wide)  # not at line ends
    )
    assert narrow_words == wide_words
    if words == ("doctor",):
        assert all(re.match("[✓!✗] |  ", line) for line in seen.lines), "what follows is indented"
