"""Folders in the order in which people read them."""

from __future__ import annotations

from random import Random

import pytest

from importer.domain.folder_mapping.folder_order import folder_order

READ = [
    ["INBOX", "Entwürfe", "Gesendet", "Archiv", "Spam", "Papierkorb", "Äpfel", "Rechnungen", "Zebra"],
    [
        "INBOX",
        "INBOX.Drafts",
        "INBOX.Sent",
        "INBOX.Trash",
        "INBOX.Work",
        "INBOX.Work.2023",
        "INBOX.Work.2024",
    ],
    ["inbox", "[Gmail]/Drafts", "[Gmail]/Spam", "[Gmail]/All Mail", "Lists 2", "Lists 10", "lists 10/a"],
    ["INBOX", "Sent", "Sent to clients", "1" * 400],
]


@pytest.mark.parametrize("names", READ[:3])
def test_the_order_is_that_of_a_reader(names: list[str]) -> None:
    shuffled = list(names)
    Random(1).shuffle(shuffled)
    assert sorted(shuffled, key=folder_order) == names


def test_every_name_has_a_place_of_its_own() -> None:
    names = {name for names in READ for name in names} | {"", "work", "Work", "0", "00", "²", "INBOX."}
    keys = {folder_order(name) for name in names}
    assert len(keys) == len(names - {"inbox"})
    assert sorted(keys)
