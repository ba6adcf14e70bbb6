"""Folder names that the new server refuses: check and report tell which, and no number is lost."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeUser
from tests.integration.test_field_cases import MakeDovecot, Stage, dovecot_with
from tests.rehearsal.quirks.verdict import Run

__all__ = ["dovecot_with"]

CASE = {
    "side": "destination",
    "quirks": ["create-minds-no-case"],
    "other_quirks": ["two-names-that-differ-by-case"],
    "right": {},
}
DOTS = {"side": "source", "quirks": ["names-with-dots"], "right": {}}  # Maildir++ with slashes


def destinations(run: Run) -> dict[str, str]:
    return {folder["source_folder"]: folder["destination_folder"] for folder in run.report["folders"]}


@pytest.mark.parametrize(
    ("case", "renamed", "messages"),
    [
        (CASE, {"Ideas": "Ideas", "ideas": "ideas (2)"}, 22),
        (
            DOTS,
            {
                ".x": "_x",
                "Archive/2024.10": "Archive/2024_10",
                "old.example": "old_example",
                "Person K.": "Person K_",
            },
            25,
        ),
    ],
    ids=["case", "dots"],
)
def test_check_and_report_tell_which_names_are_replaced(
    case: Mapping[str, Any],
    renamed: Mapping[str, str],
    messages: int,
    tmp_path: Path,
    dovecot_with: MakeDovecot,
    make_user: MakeUser,
) -> None:
    with ExitStack() as stack:
        stage = Stage(case, stack, tmp_path, dovecot_with, make_user)
        before = stage.run("check")
        assert set(before.report["may_be_renamed"]) == renamed.keys()
        assert any(all(name in warning for name in renamed) for warning in before.report["warnings"])

        for copied, there in ((messages, 0), (0, messages)):
            run = stage.run("copy")
            assert run.code == 0, run.text
            assert {name: destinations(run)[name] for name in renamed} == renamed
            assert (run.totals["found"], run.totals["copied"]) == (messages, copied)
            assert (run.totals["already_there"], run.totals["adds_up"]) == (there, True)
            assert not stage.compare().missing

        after = stage.run("check")
        assert after.report["may_be_renamed"] == []
        assert {name: destinations(after)[name] for name in renamed} == renamed
