"""An answer is remembered for its time, and an error is not."""

from __future__ import annotations

import time

import pytest

from importer.remembered import Remembered


def test_many_callers_ask_once_and_later_ones_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    answers = iter(["first", "second"])
    remembered = Remembered(lambda: next(answers), 5.0)
    assert {remembered() for _ in range(9)} == {"first"}
    now_s[0] = 104.9
    assert remembered() == "first"
    now_s[0] = 105.0
    assert remembered() == "second"


def test_an_error_is_raised_and_not_remembered() -> None:
    answers = iter([0, 1])
    remembered = Remembered(lambda: 1 // next(answers), 60.0)
    with pytest.raises(ZeroDivisionError):
        remembered()
    assert remembered() == 1
