"""The guarantees of the folder map, for any two folder lists."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st
from imapclient.imap_utf7 import encode

from importer.domain.folder_mapping.folder_map import FolderPair, map_folders
from importer.domain.mailbox_content import Folder, Hierarchy
from providers.endpoint import FolderRole
from providers.text import Text

FOLLOWS = Text("folder_name.follows")
ROLES = frozenset(Text(f"folder_name.{role}") for role in FolderRole)

HIERARCHIES = (
    Hierarchy("", "/"),
    Hierarchy("", "."),
    Hierarchy("INBOX.", "."),
    Hierarchy("INBOX/", "/"),
    Hierarchy("mail/", "/"),
    Hierarchy("", "_"),
    Hierarchy("", None),
)
hierarchies = st.sampled_from(HIERARCHIES)

PLAIN = ("a", "b", "Work", "2019", "ü", "a (2)", "a_b", "x y", "100%")
ODD = (
    "a.b",
    "a/b",
    "a\nb",
    "a\rb",
    "",
    " ",
    ".",
    "..",
    "~a",
    "_a",
    "INBOX",
    "inbox",
    "a\x00",
    "a_b (2)",
    "\ud800",
)
LONG = ("z" * 251, "z" * 254, "z" * 256, "ü" * 80, "ü" * 120)
SPECIAL = ("Sent", "Gesendet", "Trash", "Papierkorb", "Sent Items", "Archiv")


def names(words: tuple[str, ...], hierarchy: Hierarchy) -> st.SearchStrategy[str]:
    word = st.sampled_from(words)
    if hierarchy.delimiter is None:
        return word
    path = st.lists(word, min_size=1, max_size=3).map(hierarchy.delimiter.join)
    below_inbox = path.map(lambda name: f"INBOX{hierarchy.delimiter}{name}")
    return st.just("INBOX") | path.map(lambda name: hierarchy.prefix + name) | below_inbox


def folders(words: tuple[str, ...], hierarchy: Hierarchy, *, roles: bool) -> st.SearchStrategy[list[Folder]]:
    folder = st.builds(
        Folder,
        name=names(words, hierarchy),
        delimiter=st.just(hierarchy.delimiter),
        role=st.sampled_from((None, None, *FolderRole)) if roles else st.none(),
        selectable=st.sampled_from((True, True, True, False)),
    )
    return st.lists(folder, max_size=10, unique_by=lambda folder: folder.name)


@st.composite
def worlds(
    draw: st.DrawFn,
    *,
    words: tuple[str, ...] = PLAIN + ODD + LONG,
    words_there: tuple[str, ...] = (),
    roles: bool = False,
) -> tuple[list[Folder], Hierarchy, list[Folder], Hierarchy]:
    here, there = draw(hierarchies), draw(hierarchies)
    return (
        draw(folders(words, here, roles=roles)),
        here,
        draw(folders(words_there or words, there, roles=roles)),
        there,
    )


World = tuple[list[Folder], Hierarchy, list[Folder], Hierarchy]


def as_map(pairs: tuple[FolderPair, ...]) -> dict[str, str]:
    return {pair.source.name: pair.destination for pair in pairs}


def key(name: str, hierarchy: Hierarchy) -> str:
    """The identity of a folder that can be written in two ways: INBOX, and a path that begins with INBOX, in
    any case. Without a delimiter “inbox_a” does not begin with INBOX."""
    begins = name[:5].upper() == "INBOX" and name[5:6] in ("", hierarchy.delimiter)
    return "INBOX" + name[5:] if begins else name


def check_name(name: str, there: Hierarchy) -> None:
    """The name is acceptable to every server."""
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000 for c in name)
    if name == "INBOX":
        return
    assert name.startswith(there.prefix)
    rest = name.removeprefix(there.prefix)
    assert not rest.startswith("~")
    assert rest.upper() != "INBOX" or there.prefix == "mail/"  # "INBOX.INBOX" is INBOX on Dovecot
    for component in rest.split(there.delimiter) if there.delimiter else [rest]:
        assert component.strip()
        assert component not in (".", "..")
        assert there.delimiter == "/" or "/" not in component
        assert len(encode(there.prefix + component)) <= 254
    assert there.delimiter in ("/", "_") or len(encode(name)) <= 254


@example(([Folder("z" * 254 + "/ab", "/")], Hierarchy("", "/"), [], Hierarchy("", ".")))
@example(([Folder("z" * 253 + "/", "/")], Hierarchy("", "/"), [], Hierarchy("", ".")))
@example(([Folder(f"{'z' * 252}/{c}", "/") for c in "\r\n"], Hierarchy("", "/"), [], Hierarchy("", ".")))
@given(worlds(words=PLAIN + ODD + LONG + SPECIAL, words_there=PLAIN + SPECIAL, roles=True))
def test_every_selectable_folder_gets_one_valid_destination(world: World) -> None:
    source, here, listed, there = world
    destination = [f for f in listed if f.name == "INBOX" or f.name.startswith(there.prefix)]
    pairs = map_folders(source, here, destination, there, {})
    assert [pair.source for pair in pairs] == [folder for folder in source if folder.selectable]
    for pair in pairs:
        check_name(pair.destination, there)


@given(worlds())
@example(
    (
        [Folder("INBOX.INBOX", "."), Folder("INBOX", "."), Folder("INBOX.INBOX (2)", ".")],
        Hierarchy("INBOX.", "."),
        [],
        Hierarchy("", "/"),
    )
)
@example(
    (
        [Folder("mail/INBOX/a", "/"), Folder("INBOX/a", "/")],
        Hierarchy("mail/", "/"),
        [],
        Hierarchy("mail/", "/"),
    )
)
@example(
    (
        [Folder("INBOX/a_b", "/"), Folder("mail/inbox/a/b", "/")],
        Hierarchy("mail/", "/"),
        [],
        Hierarchy("", None),
    )
)
def test_renaming_never_merges_two_folders(world: World) -> None:
    _, here, _, there = world
    pairs = as_map(map_folders(*world, {}))
    assert len({key(name, there) for name in pairs.values()}) == len({key(name, here) for name in pairs})


@given(worlds(words=PLAIN + ODD + SPECIAL, roles=True))
def test_folders_share_a_destination_only_because_of_a_role(world: World) -> None:
    """Of folders that share a destination, one, or a parent of one, was moved because of its role."""
    pairs = map_folders(*world, {})
    moved = {pair.source.name for pair in pairs if set(pair.reasons) & {FOLLOWS, *ROLES}}
    shared: dict[str, list[FolderPair]] = {}
    for pair in pairs:
        shared.setdefault(pair.destination, []).append(pair)
    for sharing in shared.values():
        if len({key(pair.source.name, world[1]) for pair in sharing}) > 1:
            assert any(
                pair.source.name == name or pair.source.name.startswith(name + (pair.source.delimiter or ""))
                for pair in sharing
                for name in moved
            )
            # None of them was renamed for another reason.
            assert {reason for pair in sharing for reason in pair.reasons} <= {FOLLOWS, *ROLES}


@given(worlds())
def test_the_order_of_a_folder_list_does_not_matter(world: World) -> None:
    source, here, destination, there = world
    reversed_lists = map_folders(source[::-1], here, destination[::-1], there, {})
    assert as_map(map_folders(*world, {})) == as_map(reversed_lists)


@given(worlds(words=PLAIN + ODD), st.data())
def test_a_later_run_keeps_the_map_and_merges_nothing(world: World, data: st.DataObject) -> None:
    """New folders appear, old ones vanish, and the folders of the earlier run exist at the destination."""
    source, here, destination, there = world
    kept = data.draw(st.lists(st.sampled_from(source), unique=True) if source else st.just([]))
    first = as_map(map_folders(kept, here, destination, there, {}))
    gone = data.draw(st.sets(st.sampled_from(sorted(first)))) if first else set()
    now = [folder for folder in source if folder.name not in gone]
    then = [*destination, *(Folder(name, there.delimiter) for name in first.values())]
    second = as_map(map_folders(now, here, then, there, first))
    assert {name: to for name, to in second.items() if name in first} == {
        name: to for name, to in first.items() if name not in gone
    }
    everything = first | second
    assert len({key(name, there) for name in everything.values()}) == len(
        {key(name, here) for name in everything}
    )


@given(hierarchies, st.data())
def test_plain_names_stay_between_servers_with_the_same_hierarchy(
    hierarchy: Hierarchy, data: st.DataObject
) -> None:
    words = tuple(word for word in PLAIN if hierarchy.delimiter is None or hierarchy.delimiter not in word)
    source = data.draw(folders(words, hierarchy, roles=False))
    if hierarchy.prefix == "mail/":  # outside of the namespace there is only INBOX
        source = [f for f in source if f.name == "INBOX" or f.name.startswith(hierarchy.prefix)]
    pairs = map_folders(source, hierarchy, [replace(folder) for folder in source], hierarchy, {})
    assert all(pair.destination == pair.source.name for pair in pairs)


@given(st.text(max_size=60), st.integers(16, 60))
def test_a_shortened_name_is_measured_in_encoded_bytes(text: str, fill: int) -> None:
    """Whatever the text, the encoded name has at most 254 bytes and wastes less than one character."""
    name = "".join(c for c in text if c.isprintable() and c not in "/~") * fill
    if not name.strip():
        return
    (pair,) = map_folders([Folder(name, "/")], Hierarchy("", "/"), [], Hierarchy("", "/"), {})
    encoded_bytes = len(encode(pair.destination))
    assert encoded_bytes <= 254
    assert pair.destination == name or encoded_bytes > 254 - 8 or set(pair.destination) == {"_"}
