"""`explain --message-id` between real servers: copied, already there, newer, and gone from the old one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import MakeUser
from tests.integration.test_verify import remove, stored
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.fill import INBOX
from tests.rehearsal.installation import Installation


@pytest.mark.parametrize("language", ["en", "de", "fr", "it", "es"])
def test_it_says_where_a_message_went(
    tmp_path: Path, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser, language: str
) -> None:
    installation = Installation(tmp_path, {"CA_FILE": str(new_host.ca_file), "LANGUAGE": language})
    old, new = make_user(old_host), make_user(new_host)
    old.fill([stored(INBOX, "copied"), stored(INBOX, "there"), stored(INBOX, "gone")])
    new.fill([stored(INBOX, "there")])
    copy = installation.copy_words(old, new)
    id_ = installation.json(*copy)["id"]
    old.fill([stored(INBOX, "newer")])
    remove(old, "INBOX", "gone")
    words = ("explain", id_, *copy[3:5], *copy[7:9], "--message-id")
    for name, outcome in (
        ("copied", "copied"),
        ("there", "present"),
        ("newer", "unknown"),
        ("gone", "copied"),
    ):
        [trace] = installation.json(*words, f"<{name}@old.example>")
        assert (trace["outcome"], trace["source_folder"] or "INBOX") == (outcome, "INBOX")
        shown = installation.run(*words, f"{name}@old.example").stdout
        assert " ".join(trace["sentence"].split()) in " ".join(shown.split())
    assert installation.json(*words, "nowhere@old.example", ends=1) == []
    assert "nowhere" not in installation.run(*words, "nowhere@old.example", ends=1).stderr
