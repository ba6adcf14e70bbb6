"""Folder mapping: the destination folder of each source folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from unicodedata import normalize

import pytest

from importer.domain.folder_mapping.folder_map import map_folders
from importer.domain.folder_mapping.last_resorts import Created, Resort, created, hierarchy_below_inbox
from importer.domain.folder_mapping.special_folders import role_by_name
from importer.domain.mailbox_content import Folder, Hierarchy
from importer.i18n.code_texts import render
from importer.i18n.translations import texts
from providers.endpoint import FolderRole

SLASH = Hierarchy("", "/")
DOT = Hierarchy("", ".")
INBOX_DOT = Hierarchy("INBOX.", ".")
FLAT = Hierarchy("", None)

Listing = Sequence[str | Folder]


def listed(names: Listing, hierarchy: Hierarchy) -> list[Folder]:
    return [Folder(name, hierarchy.delimiter) if isinstance(name, str) else name for name in names]


def special(name: str, role: FolderRole, hierarchy: Hierarchy = SLASH, *, selectable: bool = True) -> Folder:
    return Folder(name, hierarchy.delimiter, role=role, selectable=selectable)


def mapped(
    source: Listing,
    destination: Listing = (),
    *,
    at_source: Hierarchy = SLASH,
    at_destination: Hierarchy = SLASH,
    remembered: Mapping[str, str] | None = None,
    resorts: Mapping[str, Resort] | None = None,
    refused: Sequence[str] = (),
) -> dict[str, str]:
    pairs = map_folders(
        listed(source, at_source),
        at_source,
        listed(destination, at_destination),
        at_destination,
        {} if remembered is None else remembered,
        resorts=resorts,
        refused=refused,
    )
    return {pair.source.name: pair.destination for pair in pairs}


def reason(
    source: str, *, at_destination: Hierarchy = SLASH, at_source: Hierarchy = SLASH, others: Listing = ()
) -> str:
    pairs = map_folders(listed([source, *others], at_source), at_source, [], at_destination, {})
    [pair] = [pair for pair in pairs if pair.source.name == source]
    return "; ".join(render(reason, texts("en")) for reason in pair.reasons)


# --- Names of special folders -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "role"),
    [
        *((name, FolderRole.SENT) for name in ("Sent", "SENT ITEMS", "Gesendet", "Gesendete Objekte")),
        *((name, FolderRole.SENT) for name in ("Gesendete Elemente", "Envoyés", "Éléments envoyés")),
        *((name, FolderRole.SENT) for name in ("Posta inviata", "Inviati", "Enviados", "Elementos enviados")),
        *((name, FolderRole.DRAFTS) for name in ("Drafts", "Entwürfe", "Brouillons", "Bozze", "Borradores")),
        *((name, FolderRole.TRASH) for name in ("Trash", "Papierkorb", "Gelöscht", "Gelöschte Objekte")),
        *((name, FolderRole.TRASH) for name in ("Corbeille", "Éléments supprimés", "Cestino", "Papelera")),
        *((name, FolderRole.TRASH) for name in ("Deleted Items", "Deleted Messages", "Gelöschte Elemente")),
        *((name, FolderRole.JUNK) for name in ("Junk", "Spam", "Spamverdacht", "Unerwünscht", "Bulk Mail")),
        *((name, FolderRole.JUNK) for name in ("Courrier indésirable", "Posta indesiderata")),
        *((name, FolderRole.JUNK) for name in ("Correo no deseado", "Junk-E-Mail", "Junk E-mail")),
        *((name, FolderRole.ARCHIVE) for name in ("Archive", "Archives", "Archiv", "Archivio", "Archivo")),
    ],
)
def test_special_folders_are_recognised_by_name_in_five_languages(name: str, role: FolderRole) -> None:
    for form in ("NFC", "NFD"):
        for spelling in (name, name.upper(), name.lower()):
            assert role_by_name(normalize(form, spelling)) is role


@pytest.mark.parametrize(
    "name",
    ["Sent to clients", "Presented", "sent/2019", "", "All Mail", "Starred", "INBOX", "Archivos", "Entwurfe"],
)
def test_a_name_that_only_contains_such_a_word_has_no_role(name: str) -> None:
    assert role_by_name(name) is None


# --- Hierarchy ------------------------------------------------------------------------------------------


def test_a_mailbox_keeps_its_tree_from_a_prefixed_server_to_a_plain_one() -> None:
    source = ["INBOX", "INBOX.Work", "INBOX.Work.2019", "INBOX.Entwürfe alt"]
    assert mapped(source, at_source=INBOX_DOT, at_destination=SLASH) == {
        "INBOX": "INBOX",
        "INBOX.Work": "Work",
        "INBOX.Work.2019": "Work/2019",
        "INBOX.Entwürfe alt": "Entwürfe alt",
    }


def test_a_mailbox_keeps_its_tree_from_a_plain_server_to_a_prefixed_one() -> None:
    assert mapped(["Inbox", "Work", "Work/2019", "INBOX/foo"], at_source=SLASH, at_destination=INBOX_DOT) == {
        "Inbox": "INBOX",
        "Work": "INBOX.Work",
        "Work/2019": "INBOX.Work.2019",
        "INBOX/foo": "INBOX.foo",
    }


@pytest.mark.parametrize("hierarchy", [SLASH, DOT, INBOX_DOT, FLAT, Hierarchy("mail/", "/")])
def test_between_servers_with_equal_hierarchies_names_do_not_change(hierarchy: Hierarchy) -> None:
    d = hierarchy.delimiter or "-"
    names = [
        hierarchy.prefix + name for name in ("Work", f"Work{d}2019", "a b", " c ", "100%", "*", "ü", "x~")
    ]
    names += ["INBOX", f"{hierarchy.prefix if hierarchy.prefix != 'INBOX.' else ''}INBOX{d}foo"]
    assert mapped(names, at_source=hierarchy, at_destination=hierarchy) == {name: name for name in names}


def test_a_folder_named_inbox_within_inbox_is_not_merged_into_inbox() -> None:
    source = ["INBOX", "INBOX.INBOX", "INBOX.INBOX.x"]
    assert mapped(source, at_source=INBOX_DOT, at_destination=SLASH) == {
        "INBOX": "INBOX",
        "INBOX.INBOX": "INBOX (2)",
        "INBOX.INBOX.x": "INBOX (2)/x",
    }
    # With Dovecot, "INBOX.INBOX" is INBOX itself.
    assert mapped(source, at_source=INBOX_DOT, at_destination=INBOX_DOT) == {
        "INBOX": "INBOX",
        "INBOX.INBOX": "INBOX.INBOX (2)",
        "INBOX.INBOX.x": "INBOX.INBOX (2).x",
    }
    assert mapped(["INBOX/INBOX"], at_destination=INBOX_DOT) == {"INBOX/INBOX": "INBOX.INBOX (2)"}


def test_the_folders_of_a_second_inbox_keep_their_names() -> None:
    source: Listing = [Folder("INBOX.INBOX", ".", selectable=False), "INBOX.INBOX.Sent", "INBOX.INBOX.x"]
    assert mapped(source, at_source=INBOX_DOT, at_destination=INBOX_DOT) == {
        "INBOX.INBOX.Sent": "INBOX.INBOX.Sent",
        "INBOX.INBOX.x": "INBOX.INBOX.x",
    }
    assert mapped(source[1:], at_source=INBOX_DOT, at_destination=SLASH) == {
        "INBOX.INBOX.Sent": "INBOX/Sent",
        "INBOX.INBOX.x": "INBOX/x",
    }


def test_a_folder_whose_name_differs_from_inbox_in_case_is_not_merged_into_it() -> None:
    assert mapped(["INBOX.Inbox"], at_source=INBOX_DOT, at_destination=SLASH) == {"INBOX.Inbox": "Inbox (2)"}


def test_a_child_of_inbox_stays_a_child_if_possible() -> None:
    assert mapped(["inbox/foo", "INBOX/foo/bar"], at_destination=DOT) == {
        "inbox/foo": "INBOX.foo",
        "INBOX/foo/bar": "INBOX.foo.bar",
    }
    assert mapped(["INBOX/foo"], at_destination=Hierarchy("mail/", "/")) == {"INBOX/foo": "mail/INBOX/foo"}


def test_a_server_without_nested_folders_gets_joined_names() -> None:
    source = ["Work", "Work/2019", "Work_2019", "INBOX/foo"]
    assert mapped(source, at_destination=FLAT) == {
        "Work": "Work",
        "Work/2019": "Work_2019 (2)",
        "Work_2019": "Work_2019",
        "INBOX/foo": "INBOX_foo",
    }


def test_a_folder_without_delimiter_is_one_name() -> None:
    assert mapped([Folder("a/b", None)]) == {"a/b": "a_b"}


def test_unselectable_folders_have_no_pair_but_keep_their_children() -> None:
    source: Listing = [Folder("a.b", "/", selectable=False), "a.b/x", "a_b/x"]
    assert mapped(source, at_destination=DOT) == {"a.b/x": "a_b (2).x", "a_b/x": "a_b.x"}


def test_pairs_are_unique_and_in_the_order_of_the_source() -> None:
    pairs = map_folders(listed(["b", "INBOX", "a", "b"], SLASH), SLASH, [], SLASH, {})
    assert [pair.source.name for pair in pairs] == ["b", "INBOX", "a"]


# --- Roles ----------------------------------------------------------------------------------------------


def test_gesendet_is_mapped_to_sent_with_its_children() -> None:
    source = ["Gesendet", "Gesendet/2019", "Gesendet/2019/Mai"]
    assert mapped(source, ["INBOX.Sent"], at_destination=INBOX_DOT) == {
        "Gesendet": "INBOX.Sent",
        "Gesendet/2019": "INBOX.Sent.2019",
        "Gesendet/2019/Mai": "INBOX.Sent.2019.Mai",
    }


def test_a_special_folder_keeps_its_name_if_the_destination_has_none() -> None:
    assert mapped(["Gesendet"], ["INBOX", "Drafts"]) == {"Gesendet": "Gesendet"}


def test_an_attribute_takes_precedence_over_a_name_on_both_sides() -> None:
    source: Listing = ["Sent", special("Versandt", FolderRole.SENT)]
    destination: Listing = ["Sent", special("Ausgang", FolderRole.SENT)]
    assert mapped(source, destination) == {"Sent": "Sent", "Versandt": "Ausgang"}


def test_attributes_count_at_any_depth_and_names_only_at_the_top_or_in_inbox() -> None:
    source: Listing = [special("[Gmail]/Gesendet", FolderRole.SENT), "Work/Papierkorb", "INBOX/Entwürfe"]
    assert mapped(source, ["Sent", "Trash", "Drafts"]) == {
        "[Gmail]/Gesendet": "Sent",
        "Work/Papierkorb": "Work/Papierkorb",
        "INBOX/Entwürfe": "Drafts",
    }


def test_a_folder_with_another_attribute_is_not_recognised_by_name() -> None:
    assert mapped([special("Archive", FolderRole.ALL)], ["Archives"]) == {"Archive": "Archive"}


@pytest.mark.parametrize("role", [FolderRole.ALL, FolderRole.FLAGGED])
def test_all_mail_and_starred_keep_their_own_names(role: FolderRole) -> None:
    assert mapped([special("Alle", role)], [special("All Mail", role)]) == {"Alle": "Alle"}


def test_only_one_folder_gets_the_role_and_other_candidates_keep_their_names() -> None:
    source = ["Gesendete Objekte", "Gesendet", "Sent", "Gesendet/2019"]
    assert mapped(source, [special("Sent", FolderRole.SENT)]) == {
        "Gesendete Objekte": "Sent",
        "Gesendet": "Gesendet",
        "Sent": "Sent",
        "Gesendet/2019": "Gesendet/2019",
    }


def test_of_several_sent_folders_at_the_destination_the_one_with_the_same_name_is_used() -> None:
    assert mapped(["Gesendet"], ["Sent", "Gesendet"]) == {"Gesendet": "Gesendet"}
    assert mapped(["Gesendet"], ["Sent", "Inviati"]) == {"Gesendet": "Sent"}


def test_an_unselectable_folder_has_no_role_on_either_side() -> None:
    source: Listing = [special("Sent", FolderRole.SENT, selectable=False), "Gesendet"]
    destination: Listing = [special("Sent", FolderRole.SENT, selectable=False), "Sent Items"]
    assert mapped(source, destination) == {"Gesendet": "Sent Items"}


def test_inbox_is_mapped_to_inbox_whatever_its_attributes() -> None:
    source: Listing = [special("INBOX", FolderRole.SENT), "Gesendet"]
    assert mapped(source, ["Sent"]) == {"INBOX": "INBOX", "Gesendet": "Sent"}


# --- Names that the destination does not accept ----------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "at_source", "at_destination", "destination"),
    [
        ("x.y", SLASH, DOT, "x_y"),
        ("x/y", DOT, SLASH, "x_y"),
        ("x/y", DOT, INBOX_DOT, "INBOX.x_y"),
        ("x_y/z", SLASH, Hierarchy("", "_"), "x-y_z"),
        ("a\r\nX1 NOOP", SLASH, SLASH, "a__X1 NOOP"),
        ("a\x00\x7f\x85\u2028\ud800b", SLASH, SLASH, "a_____b"),
        ("a//b", SLASH, SLASH, "a/_/b"),
        ("/x", SLASH, SLASH, "_/x"),
        ("a/ /b", SLASH, SLASH, "a/_/b"),
        ("a/./../b", SLASH, SLASH, "a/_/__/b"),
        ("...", SLASH, SLASH, "..."),
        ("~x/~y", SLASH, SLASH, "_x/~y"),
        ("~x", SLASH, INBOX_DOT, "INBOX._x"),
        ("INBOX/~x", SLASH, INBOX_DOT, "INBOX._x"),
        (" a ", SLASH, SLASH, " a "),
        ("", SLASH, SLASH, "_"),
    ],
)
def test_a_name_changes_as_little_as_possible(
    source: str, at_source: Hierarchy, at_destination: Hierarchy, destination: str
) -> None:
    assert mapped([source], at_source=at_source, at_destination=at_destination) == {source: destination}


def test_a_changed_name_does_not_collide_with_existing_names() -> None:
    for order in (["a.b", "a_b", "a_b (2)"], ["a_b (2)", "a_b", "a.b"]):
        assert mapped(order, at_destination=DOT) == {"a.b": "a_b (3)", "a_b": "a_b", "a_b (2)": "a_b (2)"}


def test_colliding_changed_names_are_numbered_independently_of_their_order() -> None:
    expected = {"a\nb": "a_b", "a\rb": "a_b (2)", "a\nb/c": "a_b/c", "a\rb/c": "a_b (2)/c"}
    assert mapped(list(expected)) == expected
    assert mapped(list(expected)[::-1]) == expected


def test_a_child_of_inbox_does_not_collide_with_a_top_level_folder() -> None:
    assert mapped(["INBOX/foo", "foo", "INBOX/foo/x", "foo/x"], at_destination=INBOX_DOT) == {
        "INBOX/foo": "INBOX.foo (2)",
        "foo": "INBOX.foo",
        "INBOX/foo/x": "INBOX.foo (2).x",
        "foo/x": "INBOX.foo.x",
    }


def test_a_changed_name_is_not_merged_into_a_special_folder() -> None:
    source = ["Gesendet", "INBOX/Sent"]
    assert mapped(source, ["INBOX.Sent"], at_destination=INBOX_DOT) == {
        "Gesendet": "INBOX.Sent",
        "INBOX/Sent": "INBOX.Sent (2)",
    }


def test_names_that_differ_in_case_or_unicode_form_stay_two_folders() -> None:
    names = ["work", "Work", "\u00fc", "u\u0308"]
    assert mapped(names) == {name: name for name in names}


def test_long_names_are_shortened_and_stay_distinct() -> None:
    source = ["ü" * 300 + "1", "ü" * 300 + "2", "y" * 254, "y" * 255, "a" * 255 + "/" + "b" * 254]
    result = mapped(source)
    assert len(set(result.values())) == len(source)
    assert result["y" * 254] == "y" * 254
    assert result["y" * 255] == "y" * 250 + " (2)"
    assert result["a" * 255 + "/" + "b" * 254] == "a" * 254 + "/" + "b" * 254
    assert result["ü" * 300 + "1"] == "ü" * 94  # "&", 252 of base64, "-"


def test_if_a_path_is_one_file_name_the_whole_path_must_fit() -> None:
    result = mapped(["a" * 200 + "/" + "b" * 200, "c" * 300], at_destination=INBOX_DOT)
    assert sorted(result.values()) == [
        "INBOX." + "a" * 200 + "." + "b" * (254 - 207),
        "INBOX." + "c" * 248,
    ]
    assert mapped(["a" * 200 + "/" + "b" * 200], at_destination=FLAT) == {
        "a" * 200 + "/" + "b" * 200: "a" * 200 + "_" + "b" * 53
    }


def test_a_folder_moves_up_if_its_path_would_be_too_long() -> None:
    deep = "a/" + "b" * 245
    assert mapped([deep, deep + "/c", deep + "/" + "d" * 20, deep + "/" + "e" * 300], at_destination=DOT) == {
        deep: "a." + "b" * 245,
        deep + "/c": "a." + "b" * 245 + ".c",
        deep + "/" + "d" * 20: "a." + "d" * 20,
        deep + "/" + "e" * 300: "a." + "e" * 252,
    }
    top = "z" * 248
    assert mapped([top + "/~" + "d" * 20, "INBOX/" + top + "/" + "d" * 20], at_destination=INBOX_DOT) == {
        top + "/~" + "d" * 20: "INBOX._" + "d" * 20,
        "INBOX/" + top + "/" + "d" * 20: "INBOX." + "d" * 20,
    }
    assert mapped(["z" * 254 + "/ab"], at_destination=DOT) == {"z" * 254 + "/ab": "ab"}


# --- Later runs -------------------------------------------------------------------------------------------


def test_a_mapped_folder_never_moves() -> None:
    remembered = {"Gesendet": "Gesendet", "a.b": "a_b", "INBOX": "Old/INBOX"}
    source = ["INBOX", "Gesendet", "a.b"]
    assert mapped(source, ["Sent"], at_destination=DOT, remembered=remembered) == remembered


def test_children_follow_a_remembered_parent() -> None:
    result = mapped(["Work", "Work/New", "INBOX/x"], remembered={"Work": "Job", "INBOX": "Old"})
    assert result == {"Work": "Job", "Work/New": "Job/New", "INBOX/x": "Old/x"}


def test_a_new_folder_is_not_merged_into_the_target_of_a_renamed_folder() -> None:
    assert mapped(["a.b", "a_b"], at_destination=DOT, remembered={"a.b": "a_b"}) == {
        "a.b": "a_b",
        "a_b": "a_b (2)",
    }


def test_no_folder_is_merged_into_the_target_of_a_deleted_source_folder() -> None:
    assert mapped(["a_b", "a_b/x"], at_destination=DOT, remembered={"a.b": "a_b"}) == {
        "a_b": "a_b (2)",
        "a_b/x": "a_b (2).x",
    }
    assert mapped(["a.b"], at_destination=DOT, remembered={"a_b": "a_b"}) == {"a.b": "a_b (2)"}


def test_a_child_of_a_renamed_folder_is_not_merged_into_the_child_of_another() -> None:
    remembered = {"Old": "Work", "Work/x": "Work/x"}
    assert mapped(["Old/x"], remembered=remembered) == {"Old/x": "Work/x (2)"}


def test_a_role_keeps_its_folder() -> None:
    source: Listing = [special("Sent Items", FolderRole.SENT), "Gesendet"]
    assert mapped(source, ["Sent"], remembered={"Gesendet": "Sent"}) == {
        "Sent Items": "Sent Items",
        "Gesendet": "Sent",
    }


def test_a_new_sent_folder_replaces_a_deleted_one() -> None:
    assert mapped(["Sent Items"], ["Sent"], remembered={"Gesendet": "Sent"}) == {"Sent Items": "Sent"}


def test_a_folder_named_like_a_special_folder_is_merged_into_it_in_later_runs_too() -> None:
    first = mapped(["Gesendet", "Gesendet/2019", "Sent", "Sent/2019"], ["Sent"])
    later = mapped(
        ["Gesendet", "Gesendet/2019", "Sent", "Sent/2019"],
        ["Sent", "Sent/2019"],
        remembered={"Gesendet": "Sent", "Gesendet/2019": "Sent/2019"},
    )
    assert (
        first
        == later
        == {
            "Gesendet": "Sent",
            "Gesendet/2019": "Sent/2019",
            "Sent": "Sent",
            "Sent/2019": "Sent/2019",
        }
    )


# --- Reasons ----------------------------------------------------------------------------------------------


def test_a_preview_explains_the_name_of_a_folder() -> None:
    assert reason("Work") == ""
    assert reason("Work/2019", at_destination=INBOX_DOT) == ""
    assert reason("inbox") == ""
    assert reason("INBOX/x") == ""
    assert reason("x.y", at_destination=DOT) == "“.” is not allowed in names on the new server"
    assert reason("x.y/z", at_destination=DOT, others=["x.y"]) == "follows its parent folder"
    assert reason("x.y", at_destination=DOT, others=["x_y"]) == (
        "“.” is not allowed in names on the new server; another folder already has that name"
    )
    assert reason("a/b", at_destination=FLAT) == "the new server has no nested folders"
    assert reason("INBOX/x", at_destination=INBOX_DOT) == (
        "on the new server, folders inside INBOX are on the same level as all others"
    )
    assert reason("INBOX/x", at_destination=Hierarchy("mail/", "/")) == (
        "the new server requires all folders except INBOX to be below “mail/”"
    )
    assert reason("z" * 300) == "the name is too long for the new server"


def test_a_preview_names_roles_and_earlier_choices() -> None:
    pairs = map_folders(
        listed(["Papierkorb", "Papierkorb/x", "Work"], SLASH),
        SLASH,
        listed(["Trash"], SLASH),
        SLASH,
        {"Work": "W"},
    )
    assert [[reason.code for reason in pair.reasons] for pair in pairs] == [
        ["folder_name.trash"],
        ["folder_name.follows"],
        ["folder_name.earlier"],
    ]


def test_a_careful_name_is_accepted_by_every_server() -> None:
    names = ["Wichtig!", "50 % & mehr?", 'a/"b"/c', "a/_b_"]
    assert mapped(names, resorts=dict.fromkeys(names[:3], Resort.CAREFUL)) == {
        "Wichtig!": "Wichtig!",
        "50 % & mehr?": "50 _ _ mehr_",
        'a/"b"/c': "a/_b_ (2)/c",
        "a/_b_": "a/_b_",
    }


@pytest.mark.parametrize(
    ("name", "resort", "there", "expected"),
    [
        ("old.example", Resort.CAREFUL, SLASH, "old_example"),
        ("Person K.", Resort.CAREFUL, SLASH, "Person K_"),
        ("emoji 😀 x", Resort.PLAIN, SLASH, "emoji _ x"),
        ("Entwürfe", Resort.PLAIN, SLASH, "Entwurfe"),
        ("cur", Resort.PLAIN, SLASH, "cur_"),
        ("日本", Resort.PLAIN, SLASH, "Folder"),
        ("Projects/2024/Q1", Resort.UP, SLASH, "Projects/2024_Q1"),
        ("Projects/2024/Q1", Resort.FLAT, SLASH, "Projects_2024_Q1"),
        ("Projects/2024", Resort.UP, Hierarchy("INBOX.", "."), "INBOX.Projects_2024"),
        ("Projects/2024", Resort.NUMBERED, SLASH, "Folder"),
    ],
)
def test_a_refused_name_has_last_resorts(name: str, resort: Resort, there: Hierarchy, expected: str) -> None:
    assert mapped([name], at_destination=there, resorts={name: resort})[name] == expected


def test_a_refused_name_is_not_proposed_again() -> None:
    """Names that are equal but for case, where the server has one folder for both."""
    mapping = mapped(
        ["Ideas", "ideas"],
        remembered={"Ideas": "Ideas"},
        resorts={"ideas": Resort.CAREFUL},
        refused=["ideas"],
    )
    assert mapping == {"Ideas": "Ideas", "ideas": "ideas (2)"}


def test_last_resorts_stay_apart() -> None:
    names = ["日本", "中国", "a/😀", "a/🎉", "a_Folder"]
    mapping = mapped(names, resorts=dict.fromkeys(names[:4], Resort.FLAT))
    assert len(set(mapping.values())) == len(names)


def match(wanted: list[str], now: list[str], **more: Sequence[str]) -> Created:
    given = {"refused": (), "before": (), "others": ()} | more
    return created(wanted, now=now, **given)


def test_a_created_folder_is_used_under_the_name_that_is_listed() -> None:
    assert match(["a", "b"], ["a", "b"]).actual == {"a": "a", "b": "b"}
    # another name altogether, which no other folder explains
    assert match(["a", "b?"], ["INBOX", "a", "b_"], before=["INBOX"]).actual == {"a": "a", "b?": "b_"}
    # names that the server shortens
    short = match(["Archive", "Projects", "Archive/2024"], ["Archiv", "Projec"]).actual
    assert short == {"Archive": "Archiv", "Projects": "Projec", "Archive/2024": "Archive/2024"}
    # refused because there is one already that differs by case alone
    assert match(["Ideas"], ["ideas"], before=["ideas"], refused=["Ideas"]).actual == {"Ideas": "ideas"}
    # a list that leaves something out is not believed against an OK
    assert match(["a", "b"], []).actual == {"a": "a", "b": "b"}


def test_two_folders_never_become_one_when_a_server_ignores_case() -> None:
    found = match(["Ideas", "ideas"], ["Ideas"], refused=["ideas"])
    assert found.actual == {"Ideas": "Ideas"}
    assert found.missing == {"ideas"}
    found = match(["ideas"], ["Ideas"], others=["Ideas"])
    assert not found.actual
    assert found.missing == {"ideas"}


def test_a_folder_is_missing_only_if_it_was_refused() -> None:
    assert match(["a"], ["INBOX"], refused=["a"]).missing == {"a"}
    assert not match(["a"], ["a"], refused=["a"]).missing


@pytest.mark.parametrize(
    ("announced", "refused", "expected"),
    [
        (Hierarchy("", "."), {"Sent", "Archive"}, Hierarchy("INBOX.", ".")),
        (Hierarchy("", "."), {"Sent"}, None),  # the others were created
        (Hierarchy("", "."), {"inbox.Work"}, None),
        (Hierarchy("INBOX.", "."), {"Sent", "Archive"}, None),
        (Hierarchy("", None), {"Sent", "Archive"}, None),
    ],
)
def test_a_server_that_refuses_all_names_beside_inbox_may_need_them_below(
    announced: Hierarchy, refused: set[str], expected: Hierarchy | None
) -> None:
    assert hierarchy_below_inbox(announced, {"Sent", "Archive", "inbox.Work"}, refused) == expected
