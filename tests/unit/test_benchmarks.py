"""The pure pieces of the benchmarks: a figure that is computed wrongly would be believed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

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
def test_a_corpus_is_the_same_every_time_and_of_the_sizes_that_it_promises(name: str) -> None:
    work = WORKS[name]
    made = list(messages(work, 400))
    assert made == list(messages(work, 400))
    assert len(made) == 400
    assert len({one.folder for one in made}) == work.folders
    for one in made:
        body = one.content
        assert body.endswith(b"\r\n")
        assert body.count(b"\r") == body.count(b"\n") == body.count(b"\r\n")
    middle = sorted(len(one.content) for one in made)[200]
    assert middle == pytest.approx({"s": 4_000, "m": 8_000}[name], rel=0.3)


def test_exact_duplicates_stay_exact_duplicates() -> None:
    per_content = Counter((one.folder, one.content) for one in messages(WORKS["s"], 3_000))
    assert 0 < sum(times - 1 for times in per_content.values()) < 30


def test_the_raw_limit_carries_every_message_once_in_lanes_of_equal_size() -> None:
    made = list(messages(WORKS["s"], 500))
    total = sum(len(one.content) for one in made)
    parts = list(cut(made, total, 4))
    assert [one for _, _, one in parts] == made
    assert [lane for lane, _, _ in parts] == sorted(lane for lane, _, _ in parts)
    for lane in range(4):
        assert sum(len(one.content) for mine, _, one in parts if mine == lane) == pytest.approx(
            total / 4, rel=0.05
        )
    packed = [command for _, command in upload_commands(made, Naming("", "/"))]
    assert sum(command.count(one.content) > 0 for one in made for command in packed) >= len(made)
    assert sum(len(command) for command in packed) > total


def test_a_download_asks_for_each_span_and_ends_with_its_own_mark() -> None:
    asked = download_commands([Span(("INBOX",), 1, 5), Span(("日本",), 3, 9)], Naming("", "/"))
    lines = asked.decode("ascii").splitlines()
    assert [line.split()[0] for line in lines] == ["E1", "D1", "E2", "D2", "Z"]
    assert " 3:9 " in lines[3]


def test_figures_are_medians_of_the_copiers_own_messages() -> None:
    found = result(0, 1.0)
    assert rate(found.copiers["mailhaul"]) is not None
    table = case_table(found)
    ours, theirs, failed = table.splitlines()[2:]
    assert "| 50.0 " in ours
    assert "25.0 – 100 " in ours
    assert "4.00 ×" in theirs  # 100 messages in 2 s beside 50 in 4 s
    assert "2 differences" in theirs
    assert "1 runs FAILED" in failed


def test_round_trips_are_what_the_delay_added_to_the_second_run() -> None:
    assert round_trips(result(0, 1.0), result(40, 1.6), "mailhaul") == pytest.approx(15)
    assert round_trips(result(0, 1.0), result(40, 1.6), "slow") is None


def test_a_result_is_read_as_it_was_kept(tmp_path: Path) -> None:
    found = result(40, 1.5)
    assert load(found.save(tmp_path)) == found


def test_the_plot_is_a_picture_with_a_bar_for_each_copier_that_ran() -> None:
    picture = ElementTree.fromstring(svg([result(0, 1.0), result(40, 2.0), result(80, 2.0)]))  # noqa: S314
    texts = [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count("mailhaul") == 3
    assert "<broken>" not in texts
    assert any(text and text.endswith("*") for text in texts)


def test_watchers_are_charged_by_medians_and_a_result_is_read_as_it_was_kept(tmp_path: Path) -> None:
    alone = tuple(Run(seconds, 0.1, 0) for seconds in (9.0, 10.0, 30.0))
    watched = tuple(Run(seconds, 0.5, 2_000) for seconds in (10.3, 10.0, 11.0))
    found = Watched(200, 20_000, {"kernel": "x"}, alone, watched)
    assert found.slower == pytest.approx(0.03)
    found.save(tmp_path)
    assert kept_watched(tmp_path) == [found]
    without, beside = watched_table([found]).splitlines()[2:]
    assert "| 10.00 " in without
    assert "3.0 %" in beside
    assert "| 4.9 " in beside  # 0.5 of 10.3 seconds
