"""Lines of LIST as servers write them: understood, named in the report, and never two folders as one."""

from __future__ import annotations

import pytest

from importer.adapters.imap.list_responses import (
    Listed,
    Namespaces,
    as_folders,
    hierarchy_of,
    merged,
    read_list,
    read_namespaces,
    without_listed_children,
)
from importer.adapters.imap.response_reader import ResponseReader
from importer.adapters.imap.utf7_names import FolderNames
from importer.adapters.imap.wire_events import WireEvent
from importer.domain.mailbox_content import Hierarchy


def read(*lines: bytes) -> list[WireEvent]:
    return ResponseReader().feed(b"".join(b"* " + line + b"\r\n" for line in lines))


@pytest.mark.parametrize(
    ("line", "name", "delimiter"),
    [
        (b'LIST () "/" Sent', "Sent", "/"),
        (b'LIST () "/" "Sent"', "Sent", "/"),
        (b'LIST () "/" Sent ', "Sent", "/"),
        (b'LIST () NIL "Sent"', "Sent", None),
        (b'LIST () "" "Sent"', "Sent", None),
        (b'LIST () "/" NIL', "NIL", "/"),
        (b'LIST () "/" "say \\"a\\\\b\\""', 'say "a\\b"', "/"),
        (b'LIST () "/" {9}\r\nsay "a\\b"', 'say "a\\b"', "/"),
        (b'LIST () "/" "Sent" ("CHILDINFO" ("SUBSCRIBED"))', "Sent", "/"),
        (b'LIST () "/" Sent (CHILDINFO (SUBSCRIBED))', "Sent", "/"),
        # names that should be quoted
        (b'LIST () "/" Projekt Alpha', "Projekt Alpha", "/"),
        (b'LIST () "/" Projekt (alt) neu', "Projekt (alt) neu", "/"),
        (b'LIST () "/" Projekt (alt)', "Projekt (alt)", "/"),
        (b'LIST () "/" a"b', 'a"b', "/"),
        (b'LIST () "/" "a"b"', 'a"b', "/"),
        (b'LIST () "/" "say "hello" now"', 'say "hello" now', "/"),
        (b'LIST () "/" [Mail]/Old]', "[Mail]/Old]", "/"),
        (b'LIST () "/" 100 % ok', "100 % ok", "/"),
        # delimiters and escapes
        (b'LIST () "\\\\" "a\\\\b"', "a\\b", "\\"),
        (b'LIST () "\\" "a\\b"', "a\\b", "\\"),
        (b'LIST () "/" "a\\b"', "a\\b", "/"),
        (b"LIST () / Sent", "Sent", "/"),
        (b'LIST (\\)"/" Sent', "Sent", "/"),
        (b'LIST "/" Sent', "Sent", "/"),
        # what no name may begin with
        (b'LIST () "/" *"INBOX"', "INBOX", "/"),
        (b'LIST () "/" *INBOX', "INBOX", "/"),
    ],
)
def test_a_folder_is_read_however_its_line_is_written(line: bytes, name: str, delimiter: str | None) -> None:
    lines = read_list(read(line), FolderNames())
    assert [(folder.name, folder.delimiter) for folder in lines.listed] == [(name, delimiter)]
    assert lines.unreadable == ()


@pytest.mark.parametrize("line", [b'LIST () "/"', b'LIST (\\HasNoChildren) "/" ', b"LIST", b'LIST () "'])
def test_a_line_without_a_name_costs_only_itself(line: bytes) -> None:
    lines = read_list(read(b'LIST () "/" INBOX', line, line, b'LIST () "/" Sent'), FolderNames())
    assert [folder.name for folder in lines.listed] == ["INBOX", "Sent"]
    assert len(lines.unreadable) == 1


def test_two_folders_never_become_one() -> None:
    names = [b"Projekt", b"Projekt Alpha", b"Projekt Beta", b'"Projekt  Beta"', b'a"b', b'"ab"', b"INBOXES"]
    lines = read_list(read(*(b'LIST () "/" ' + name for name in names)), FolderNames())
    assert len(lines.listed) == len(names)


def test_what_two_lists_say_of_a_folder_is_combined() -> None:
    lines = read_list(
        read(b'LIST (\\Sent \\Noselect) NIL "Sent"', b'LIST (\\Subscribed) "/" "Sent"', b'LIST () "/" Old'),
        FolderNames(),
    )
    sent, old = lines.listed
    assert sent == Listed("Sent", "/", frozenset({"\\sent", "\\subscribed"}))
    assert lines.times == (2, 1)
    assert merged([old], [sent, Listed("Old", "/", frozenset({"\\drafts"}))]) == [
        Listed("Old", "/", frozenset({"\\drafts"})),
        sent,
    ]


def test_a_folder_is_unselectable_only_if_every_line_says_so() -> None:
    lines = read_list(read(*[b'LIST (\\Noselect) "/" "Top"'] * 2), FolderNames())
    assert not lines.listed[0].selectable


def test_missing_children_are_noticed() -> None:
    names = FolderNames()
    lines = read_list(
        read(
            b'LIST (\\HasChildren) "/" "Archive"',
            b'LIST (\\HasChildren) "/" "Work"',
            b'LIST () "/" "Work/2024"',
            b'LIST (\\HasChildren) NIL "Flat"',
        ),
        names,
    )
    assert [folder.name for folder in without_listed_children(lines.listed)] == ["Archive"]


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (b'NAMESPACE (("" "/")) (("Other/" "/")) (("Public/" "/"))', ["INBOX", "Mine"]),
        (b'NAMESPACE (("" "/")) NIL (("Public/" "/"))', ["INBOX", "Mine", "Other/ada"]),
        # a prefix that is the user's own is not foreign, and INBOX never is
        (b'NAMESPACE (("Public/" "/")) NIL (("Public/" "/"))', ["INBOX", "Mine", "Other/ada", "Public/x"]),
        (b'NAMESPACE (("" "/")) (("INBOX" "/")) NIL', ["INBOX", "Mine", "Other/ada", "Public/x"]),
        (b'NAMESPACE (("" "/") NIL', ["INBOX", "Mine", "Other/ada", "Public/x"]),
        (b"NAMESPACE", ["INBOX", "Mine", "Other/ada", "Public/x"]),
    ],
)
def test_only_folders_of_others_are_left_out(answer: bytes, kept: list[str]) -> None:
    names = FolderNames()
    listed = [Listed(name, "/", frozenset()) for name in ("INBOX", "Mine", "Other/ada", "Public/x")]
    namespaces = read_namespaces(read(answer), names)
    assert [folder.name for folder in as_folders(listed, namespaces, frozenset())] == kept


@pytest.mark.parametrize(
    ("told", "names", "expected"),
    [
        (Hierarchy("INBOX.", "."), ["INBOX", "Sent"], Hierarchy("", "/")),  # LIST contradicts it
        (Hierarchy("", "."), ["INBOX", "Sent"], Hierarchy("", "/")),
        (Hierarchy("INBOX/", "/"), ["INBOX", "INBOX/Sent", "Old"], Hierarchy("INBOX/", "/")),
        (Hierarchy("INBOX/", "/"), ["INBOX", "Shared/Team"], Hierarchy("INBOX/", "/")),  # of others
        (Hierarchy("INBOX/", "/"), ["INBOX"], Hierarchy("INBOX/", "/")),
        (None, ["INBOX", "INBOX/Sent"], Hierarchy("INBOX/", "/")),
    ],
)
def test_a_namespace_that_the_list_contradicts_is_not_believed(
    told: Hierarchy | None, names: list[str], expected: Hierarchy
) -> None:
    listed = [Listed(name, "/", frozenset()) for name in names]
    assert hierarchy_of(Namespaces(told, ("Shared/",)), listed) == expected
