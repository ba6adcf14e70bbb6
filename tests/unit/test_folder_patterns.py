"""Folder patterns: the grammar, its errors, and names as people see them on servers of each kind."""

from __future__ import annotations

import pytest

from importer.domain.csv_import.csv_cells import Refused
from importer.domain.folder_mapping.folder_patterns import FolderPatterns, read_patterns
from importer.domain.folder_mapping.left_out_folders import left_out_folders, unmatched_patterns
from importer.domain.import_options import ImportOptions, SpamAndTrash
from importer.domain.mailbox_content import Folder, Hierarchy
from providers.endpoint import FolderRole


def chosen(text: str, *names: str, delimiter: str = "/", prefix: str = "") -> list[str]:
    """Which of the folders are copied."""
    folders = [Folder(name, delimiter) for name in names]
    options = ImportOptions(folders=read_patterns(text))
    left_out = left_out_folders(folders, Hierarchy(prefix, delimiter), options)
    return [name for name in names if name not in left_out]


@pytest.mark.parametrize(
    ("text", "copied"),
    [
        ("all", ["INBOX", "Work", "Work/Old", "Work/New", "Smith, John"]),
        ("INBOX, Work/*, !Work/Old", ["INBOX", "Work/New"]),
        ("!Work/Old,Work/*", ["Work/New"]),
        ("inbox", ["INBOX"]),
        ("work", []),
        ("Work", ["Work"]),
        ("Work*", ["Work", "Work/Old", "Work/New"]),
        ("!Work*", ["INBOX", "Smith, John"]),
        ("ALL, !Work", ["INBOX", "Work/Old", "Work/New", "Smith, John"]),
        ('"Smith, John" , INBOX', ["INBOX", "Smith, John"]),
        ('"Work*"', []),
        ("*/*", ["Work/Old", "Work/New"]),
    ],
)
def test_a_folder_is_copied_if_it_is_included_and_not_excluded(text: str, copied: list[str]) -> None:
    assert chosen(text, "INBOX", "Work", "Work/Old", "Work/New", "Smith, John") == copied


def test_levels_are_written_with_a_slash_whatever_the_server_does() -> None:
    names = ("INBOX", "INBOX.Work", "INBOX.Work.Old")
    assert chosen("Work/*", *names, delimiter=".", prefix="INBOX.") == ["INBOX.Work.Old"]
    assert chosen("INBOX.Work", *names, delimiter=".", prefix="INBOX.") == ["INBOX.Work"]
    assert chosen("INBOX/Work", "INBOX", "INBOX.Work", delimiter=".") == ["INBOX.Work"]
    assert chosen("Inbox/Work", "Inbox/Work") == ["Inbox/Work"]
    assert chosen("Gru\u0308\u00dfe", "Gr\u00fc\u00dfe") == ["Gr\u00fc\u00dfe"]


@pytest.mark.parametrize(
    ("text", "rule", "number"),
    [
        ("INBOX, !", "folder_pattern_empty", 2),
        ("INBOX,,Work", "folder_pattern_empty", 2),
        ("?", "folder_pattern_empty", 1),
        ("/Work", "folder_pattern_slash", 1),
        ("INBOX, Work/", "folder_pattern_slash", 2),
        ('INBOX, "Smith', "folder_pattern_quotes", 2),
        ('"Smith" John', "folder_pattern_quotes", 1),
    ],
)
def test_a_problem_names_the_pattern_and_the_fix_but_quotes_nothing(
    text: str, rule: str, number: int
) -> None:
    with pytest.raises(Refused) as refused:
        read_patterns(text)
    assert refused.value.rule == rule
    assert refused.value.text.params == {"pattern": str(number)}


@pytest.mark.parametrize(("text", "rule"), [("a\tb", "control_character"), ("x" * 2001, "cell_too_long")])
def test_a_text_that_is_no_list_of_names_is_refused(text: str, rule: str) -> None:
    with pytest.raises(Refused) as refused:
        read_patterns(text)
    assert refused.value.rule == rule


@pytest.mark.parametrize("text", ["all", "INBOX, Work/*, !Work/Old", '"a ""b"", *", !"all"', '"all"'])
def test_patterns_are_written_as_they_are_read(text: str) -> None:
    assert str(read_patterns(text)) == text
    assert read_patterns(str(read_patterns(text))) == read_patterns(text)


def test_patterns_that_match_no_folder_are_known() -> None:
    folders = [Folder("INBOX", "/"), Folder("Work", "/")]
    options = ImportOptions(folders=read_patterns("inbox, Wrok/*, !Wrok"))
    assert unmatched_patterns(folders, Hierarchy(), options) == ("Wrok/*", "Wrok")
    assert unmatched_patterns(folders, Hierarchy(), ImportOptions()) == ()
    assert FolderPatterns().select(("anything",))


def test_spam_and_trash_are_found_by_attribute_or_name_with_the_folders_inside() -> None:
    folders = [
        Folder("INBOX", "/"),
        Folder("[Gmail]/Spam", "/", FolderRole.JUNK),
        Folder("[Gmail]/Bin", "/", FolderRole.TRASH),
        Folder("Corbeille", "/"),
        Folder("INBOX/Papierkorb", "/"),
        Folder("Corbeille/Old", "/"),
        Folder("Spam/2019", "/"),  # in a folder that the server does not list
        Folder("Work/Trash", "/"),
        Folder("Trash talk", "/"),
    ]
    skip = ImportOptions(spam_and_trash=SpamAndTrash.SKIP)
    left_out = {"[Gmail]/Spam", "[Gmail]/Bin", "Corbeille", "INBOX/Papierkorb", "Corbeille/Old", "Spam/2019"}
    assert left_out_folders(folders, Hierarchy(), skip).keys() == left_out
    assert left_out_folders(folders, Hierarchy(), ImportOptions()) == {}
