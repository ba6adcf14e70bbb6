"""An undo says what a server did not remove, and leaves no mark on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rehearsal.installation import Installation
from tests.rehearsal.quirks.mail import SAMPLE, Mailbox, sample
from tests.rehearsal.quirks.server import quirk_server
from tests.rehearsal.quirks.session import PASSWORD

MESSAGES = sum(SAMPLE.values())


def flags_of(box: Mailbox) -> dict[tuple[bytes, int], set[bytes]]:
    return {(name, message.uid): message.flags for name, there in box.contents().items() for message in there}


@pytest.mark.parametrize(
    ("quirk", "removed"),
    [
        ("expunge-does-nothing", 0),
        ("deleted-mark-ignored", 0),
        ("expunge-refused", 0),
        ("expunge-of-the-first", len(SAMPLE)),
    ],
)
def test_what_the_server_did_not_remove_is_not_called_removed(
    tmp_path: Path, quirk: str, removed: int
) -> None:
    installation, box = Installation(tmp_path), Mailbox()
    with quirk_server(box=sample()) as old, quirk_server([quirk], box=box) as new:
        copy = ["copy", "--allow-plaintext"]
        for side, server in (("from", old), ("to", new)):
            address = str(server.endpoint).replace("://", f"://reader%40{side}.example@")
            copy += [f"--{side}", address, f"--{side}-password-env", "PASSWORD"]
        passwords = {"PASSWORD": PASSWORD}

        def run(*words: str, ends: int) -> str:
            return installation.run(*words, ends=ends, environment=passwords).stdout

        id_ = run(*copy, ends=0).split()[0]
        before = {place: set(flags) for place, flags in flags_of(box).items()}
        undone = run("undo", id_, "--yes", "--to-password-env", "PASSWORD", ends=1)
        assert f"{removed} of the {MESSAGES} messages that the import had added" in undone
        assert f"{MESSAGES - removed} messages left in place: the server did not remove them" in undone
        kept = flags_of(box)
        assert len(kept) == MESSAGES - removed
        assert kept == {place: before[place] for place in kept}
        run(*copy, ends=0)
        assert len(flags_of(box)) == MESSAGES
