"""The pure functions of the benchmarks. Wrong figures would go unnoticed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.batches.results import BatchResult, Copier, verdict
from benchmarks.batches.results import Run as BatchRun
from benchmarks.corpora import WORKS, messages
from benchmarks.plot import svg
from benchmarks.raw_limit import Span, cut, download_commands, upload_commands
from benchmarks.results import Case, Copied, Result, Taken, load, rate, round_trips
from benchmarks.table import case_table
from benchmarks.watchers_results import Run, Watched
from benchmarks.watchers_results import kept as kept_watched
from benchmarks.watchers_results import table as watched_table
from tests.rehearsal.fill import Naming


def result(delay_ms: int, second_s: float) -> Result:
    case = Case("s", 100, 400_000, 10, "maildir", delay_ms, 4)
    ours = Copied(100, "byte-exact", [Taken(s, 0.5, 10**7) for s in (1.0, 4.0, 2.0)], differences=[0, 0, 0])
    ours.second.append(Taken(second_s, 0.1, 10**7))
    theirs = Copied(50, "byte-exact", [Taken(4.0, 1.0, 10**7)], differences=[2])
    failed = Copied(100, "byte-exact", failures=["run 1: ended with 1"])
    return Result(case, {"cores": "2"}, {"mailhaul": ours, "slow": theirs, "<broken>": failed})


@pytest.mark.parametrize("name", ["s", "m"])
def test_a_corpus_is_reproducible_and_has_the_documented_sizes(name: str) -> None:
    work = WORKS[name]
    corpus = list(messages(work, 400))
    assert corpus == list(messages(work, 400))
    assert len(corpus) == 400
    assert len({message.folder for message in corpus}) == work.folders
    for message in corpus:
        body = message.content
        assert body.endswith(b"\r\n")
        assert body.count(b"\r") == body.count(b"\n") == body.count(b"\r\n")
    middle = sorted(len(message.content) for message in corpus)[200]
    assert middle == pytest.approx({"s": 4_000, "m": 8_000}[name], rel=0.3)


def test_exact_duplicates_stay_exact_duplicates() -> None:
    per_content = Counter((message.folder, message.content) for message in messages(WORKS["s"], 3_000))
    assert 0 < sum(times - 1 for times in per_content.values()) < 30


def test_the_raw_limit_sends_every_message_once_in_lanes_of_equal_size() -> None:
    corpus = list(messages(WORKS["s"], 500))
    total = sum(len(message.content) for message in corpus)
    parts = list(cut(corpus, total, 4))
    assert [message for _, _, message in parts] == corpus
    assert [lane for lane, _, _ in parts] == sorted(lane for lane, _, _ in parts)
    for lane in range(4):
        assert sum(len(message.content) for number, _, message in parts if number == lane) == pytest.approx(
            total / 4, rel=0.05
        )
    packed = [command for _, command in upload_commands(corpus, Naming("", "/"))]
    assert sum(command.count(message.content) > 0 for message in corpus for command in packed) >= len(corpus)
    assert sum(len(command) for command in packed) > total


def test_a_download_fetches_each_span_and_ends_with_a_final_command() -> None:
    commands = download_commands([Span(("INBOX",), 1, 5), Span(("日本",), 3, 9)], Naming("", "/"))
    lines = commands.decode("ascii").splitlines()
    assert [line.split()[0] for line in lines] == ["E1", "D1", "E2", "D2", "Z"]
    assert " 3:9 " in lines[3]


def test_figures_are_medians_of_the_copiers_own_messages() -> None:
    measured = result(0, 1.0)
    assert rate(measured.copiers["mailhaul"]) is not None
    table = case_table(measured)
    ours, theirs, failed = table.splitlines()[2:]
    assert "| 50.0 " in ours
    assert "25.0 – 100 " in ours
    assert "4.00 ×" in theirs  # 100 messages in 2 s against 50 in 4 s
    assert "2 differences" in theirs
    assert "1 runs FAILED" in failed


def test_round_trips_are_derived_from_the_added_delay_of_the_second_run() -> None:
    assert round_trips(result(0, 1.0), result(40, 1.6), "mailhaul") == pytest.approx(15)
    assert round_trips(result(0, 1.0), result(40, 1.6), "slow") is None


def test_a_saved_result_is_loaded_unchanged(tmp_path: Path) -> None:
    saved = result(40, 1.5)
    assert load(saved.save(tmp_path)) == saved


def test_the_plot_has_a_bar_for_each_successful_copier() -> None:
    picture = ElementTree.fromstring(svg([result(0, 1.0), result(40, 2.0), result(80, 2.0)]))  # noqa: S314
    texts = [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count("mailhaul") == 3
    assert "<broken>" not in texts
    assert any(text and text.endswith("*") for text in texts)


def test_the_cost_of_watchers_is_a_difference_of_medians(tmp_path: Path) -> None:
    alone = tuple(Run(seconds, 0.1, 0) for seconds in (9.0, 10.0, 30.0))
    watched = tuple(Run(seconds, 0.5, 2_000) for seconds in (10.3, 10.0, 11.0))
    result_ = Watched(200, 20_000, {"kernel": "x"}, alone, watched)
    assert result_.slower == pytest.approx(0.03)
    result_.save(tmp_path)
    assert kept_watched(tmp_path) == [result_]
    without, beside = watched_table([result_]).splitlines()[2:]
    assert "| 10.00 " in without
    assert "3.0 %" in beside
    assert "| 4.9 " in beside  # 0.5 of 10.3 seconds


def test_the_page_says_what_a_batch_falls_short_of_and_what_the_machine_allows() -> None:
    """The servers' 12 s on two processors allow 1,000 messages in 6 s, however fast the copier is."""

    def copier(wall_s: float, ours: float, servers: float) -> Copier:
        return Copier([BatchRun(wall_s, {"ours": ours, "source": 2.0, "destination": servers - 2.0}, 0, 0.1)])

    copiers = {"up": copier(10.0, 8.0, 12.0), "fast": copier(4.0, 6.0, 2.0), "slow": copier(20.0, 30.0, 9.0)}
    machine = {"processor": "Some Processor, 2 cores"}
    batch = BatchResult("small", 25, 1_000, 325, 4_000_000, 0, machine, copiers)
    said = verdict(batch)
    assert "slower than `fast` (0.40 ×)." in said
    assert "`slow` (" not in said
    assert "it cannot exceed 167/s, 0.67 × `fast`, 3.33 × `slow`." in said
    assert verdict(BatchResult("small", 25, 1_000, 325, 4_000_000, 0, machine)) == ""
