"""Names of folders for people: without the prefix of the server, and in their language below [Gmail]."""

from __future__ import annotations

import pytest

from importer.domain.folder_mapping.shown_names import ShownName, shown_names
from importer.i18n.folder_names import ShownFolders, folder_name
from importer.i18n.translations import texts


def names(*folders: str) -> list[str]:
    return [shown_names(folders)[folder].name for folder in folders]


def test_the_prefix_of_the_server_is_left_out() -> None:
    assert names("INBOX", "INBOX.Rechnungen.2024", "INBOX.Sent") == ["INBOX", "Rechnungen.2024", "Sent"]
    assert names("INBOX", "INBOX/Work", "INBOX/Sent") == ["INBOX", "Work", "Sent"]


def test_a_folder_below_inbox_keeps_its_place_where_others_are_beside_it() -> None:
    assert names("INBOX", "INBOX/Work", "Sent") == ["INBOX", "INBOX/Work", "Sent"]


def test_no_two_folders_are_called_alike() -> None:
    assert names("INBOX.Work", "Work", "INBOX.Sent") == ["INBOX.Work", "Work", "Sent"]


@pytest.mark.parametrize(
    ("folder", "language", "shown"),
    [
        ("[Gmail]/Alle Nachrichten", "fr", "Tous les messages"),
        ("[Gmail]/Sent Mail", "de", "Gesendet"),
        ("[Google Mail]/Entwürfe", "it", "Bozze"),
        ("[Gmail]/Starred", "es", "Destacados"),
        ("[Gmail]/Projekt", "de", "Projekt"),
        ("[Gmail]/", "de", "[Gmail]/"),
        ("INBOX.Trash", "de", "Trash"),
        ("Sent", "de", "Sent"),
        ("INBOX.", "de", "INBOX."),
    ],
)
def test_folders_of_gmail_are_translated_by_their_use(folder: str, language: str, shown: str) -> None:
    assert folder_name(texts(language), folder) == shown


def test_a_folder_outside_the_list_has_a_name_too() -> None:
    assert ShownFolders(texts("de"), ["INBOX"])["INBOX.Neu"] == "Neu"
    assert shown_names(["A"])["A"] == ShownName("A")


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        ("Tue, 05 May 2020 00:00:00 +0000", "5 mai 2020, 00:00"),
        ("Sat, 1 Feb 2020 23:30:00 -0800", "1 févr. 2020, 23:30"),
        ("gestern", "gestern"),
        ("", ""),
    ],
)
def test_the_date_of_a_message_is_that_of_its_sender_in_the_readers_language(header: str, shown: str) -> None:
    assert texts("fr").written_date(header) == shown
