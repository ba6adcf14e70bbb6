"""Choices that change between runs: what was left out is copied once it is chosen, and nothing is lost.

The oracle knows the messages of the old mailbox and the choices, and nothing of the engine.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from hypothesis import example, given
from hypothesis import strategies as st

from importer.domain.folder_mapping.folder_patterns import read_patterns
from importer.domain.import_options import ImportOptions, SpamAndTrash
from importer.domain.messages.message_body import whole
from importer.domain.messages.since import read_since
from tests.property.world import World, mail

FOLDERS = ("INBOX", "Work", "Work/Old", "Junk", "Trash/2019")
NO_DATE = 0
MONTHS = ("Foo", "Jan", "Feb", "Mar", "Apr", "May", "Jun")
PATTERNS = ("all", "INBOX", "!Work", "Work*, !Work/Old", "nothing", "*/*")


INBOX_ONLY = ImportOptions(folders=read_patterns("INBOX"))


class Run(NamedTuple):
    """One import: messages that arrive before it (folder, month of 2026), and its options."""

    arrivals: tuple[tuple[str, int], ...]
    options: ImportOptions
    lanes: int = 1


choices = st.builds(
    ImportOptions,
    folders=st.sampled_from(PATTERNS).map(read_patterns),
    spam_and_trash=st.sampled_from(SpamAndTrash),
    since=st.sampled_from(("all", "2026-03-01", "2026-03-15", "2026-03-16", "2027-01-01")).map(read_since),
)
runs = st.lists(
    st.builds(
        Run,
        st.lists(st.tuples(st.sampled_from(FOLDERS), st.integers(NO_DATE, 6)), max_size=4).map(tuple),
        choices,
        st.integers(1, 2),
    ),
    min_size=1,
    max_size=4,
)


def is_chosen(folder: str, month: int, options: ImportOptions) -> bool:
    """The expected decision of the options about a message, derived from the words of the patterns."""
    by_pattern = {
        "all": True,
        "INBOX": folder == "INBOX",
        "!Work": folder != "Work",
        "Work*, !Work/Old": folder == "Work",
        "nothing": False,
        "*/*": "/" in folder,
    }
    spam_or_trash = folder in ("Junk", "Trash/2019")
    in_time = (
        month == NO_DATE
        or {
            "all": True,
            "2026-03-01": month >= 3,
            "2026-03-15": month >= 3,
            "2026-03-16": month > 3,
            "2027-01-01": False,
        }[str(options.since)]
    )
    wanted = not (spam_or_trash and options.spam_and_trash is SpamAndTrash.SKIP)
    return by_pattern[str(options.folders)] and in_time and wanted


@given(runs)
@example([Run((("Work", 1),), INBOX_ONLY), Run((), ImportOptions())])
@example([Run((("Work", 1),), ImportOptions()), Run((("Work", 2),), INBOX_ONLY), Run((), ImportOptions())])
def test_each_run_copies_what_is_chosen_then_and_accounts_for_the_rest(history: list[Run]) -> None:
    world = World()
    arrived: list[tuple[str, int, bytes]] = []
    copied: set[bytes] = set()
    for run in history:
        for folder, month in run.arrivals:
            body = mail(f"{folder} {len(arrived)}", "text", f"id{len(arrived)}")
            box = world.source.folders.get(folder) or world.source.create(folder)
            box.add((), f"15-{MONTHS[month]}-2026 12:00:00 +0000", body)
            arrived.append((folder, month, body))
        world.options = run.options
        watcher = world.run(lanes=run.lanes)
        chosen = {body for folder, month, body in arrived if is_chosen(folder, month, run.options)}
        new, stays = chosen - copied, copied
        copied = copied | chosen
        there = Counter(
            whole(message.body)
            for box in world.destination.folders.values()
            for message in box.messages.values()
        )
        assert there == Counter(copied), "a message is missing, doubled or was not chosen"
        tallies = watcher.tallies.values()
        assert all(tally.adds_up for tally in tallies)
        assert sum(tally.found for tally in tallies) == len(arrived)
        assert sum(tally.copied for tally in tallies) == len(new)
        assert sum(tally.present for tally in tallies) == len(stays)
        assert sum(tally.skipped_total for tally in tallies) == len(arrived) - len(copied)
        assert sum(tally.failed for tally in tallies) == 0
