"""The benchmark of batches runs, verifies its copies, and saves figures that add up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.batches.results import Copier, Run, counts_table, load, table
from benchmarks.stage import ROOT
from tests.rehearsal.dovecot import dovecot_installed


@pytest.mark.skipif(not dovecot_installed(), reason="needs Dovecot")
def test_a_small_batch_is_measured_and_counted(tmp_path: Path) -> None:
    words = "--mailboxes 2 --messages 26 --runs 1 --copiers up,raw-8 --count sqlite --limit-s 120"
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.batches", *words.split(), "--results", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    measured = load(tmp_path / "small-2-52-0ms.json")
    assert load(measured.save(tmp_path)) == measured
    assert {name: copier.differences for name, copier in measured.copiers.items()} == {
        "up": [0],
        "raw-8": [0],
    }
    [run] = measured.copiers["up"].runs
    assert run.wall_s > 0
    assert run.cpu_s["ours"] > 0
    assert run.peak_bytes > 10e6
    assert measured.counts["sqlite"]["writes"] > 26  # an intent and its receipts for each folder of both
    assert measured.counts["source"]["connections"] >= 2
    assert measured.counts["destination"]["turns"] > 2 * 13


def test_the_tables_show_medians_and_what_an_import_needs(tmp_path: Path) -> None:
    from benchmarks.batches.results import BatchResult  # noqa: PLC0415

    result = BatchResult("small", 25, 25_000, 325, 10**8, 40, {"cores": "2"})
    result.copiers["up"] = Copier([Run(s, {"ours": s}, 10**8, 0.1) for s in (10.0, 30.0, 20.0)], [0, 0, 0])
    result.copiers["slow-8"] = Copier([Run(40.0, {"ours": 1.0}, 0, 0.5)], [3])
    result.copiers["<broken>"] = Copier(failures=["ended with 1"])
    result.counts["sqlite"] = {"writes": 1_000}
    ours, slow, broken = table(result).splitlines()[2:]
    assert "| 1,250 " in ours
    assert "2.00 ×" in slow
    assert "3 differences" in slow
    assert "FAILED" in broken
    assert "| 40 " in counts_table([result])
    assert result.as_result().copiers["up"].first[0].wall_s == 10.0
