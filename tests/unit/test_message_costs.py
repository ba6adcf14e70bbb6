"""What one message more costs an import: calls of our functions by one another, and steps of our generators.
The mailboxes are in memory, so that the number is the same on any machine."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import importer
from importer.domain.model import State
from importer.engine.leg_context import TransferLimits
from tests.unit.test_service import DATE, Office

OWN = str(Path(importer.__file__).parent)


@contextmanager
def counting() -> Iterator[Counter[str]]:
    """Calls by function, in all threads that begin in the block, and in this one."""
    calls: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        code, caller = frame.f_code, frame.f_back
        if event == "call" and code.co_filename.startswith(OWN) and caller is not None:
            if not caller.f_code.co_filename.startswith(OWN):
                return  # a fake
            calls[f"{Path(code.co_filename).name}: {code.co_name}"] += 1

    before = sys.getprofile()
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(before)
        threading.setprofile(None)


def calls_of_an_import(messages: int) -> Counter[str]:
    office = Office()
    office.deps = replace(office.deps, transfer_limits=TransferLimits(batch_messages=200))
    inbox = office.old.folders["INBOX"]
    inbox.messages.clear()
    for number in range(messages):
        inbox.add(("\\Seen",), DATE, b"Subject: %d\r\n\r\ntext\r\n" % number)
    _, import_id = office.submit()
    with counting() as calls:
        assert office.work(import_id).state is State.COMPLETE
    return calls


def test_a_message_costs_few_calls() -> None:
    few, many = calls_of_an_import(400), calls_of_an_import(1400)
    each = {name: (number - few[name]) / 1000 for name, number in many.items()}
    most = sorted(each, key=lambda name: -each[name])[:40]
    assert sum(each.values()) < 32, [f"{each[name]:.1f} {name}" for name in most]  # 29 in December 2026
