"""The wire format: parsing of server responses and encoding of commands."""

from __future__ import annotations

import pytest

from importer.adapters.imap.commands import (
    Literals,
    UnsafeText,
    append_runs,
    line_safe,
    part,
    quoted,
    uid_pieces,
)
from importer.adapters.imap.incoming_literals import IncomingLiterals, LiteralTooLarge
from importer.adapters.imap.response_reader import ResponseReader
from importer.adapters.imap.utf7_names import FolderNames
from importer.adapters.imap.wire_events import (
    Continue,
    Fetched,
    LiteralData,
    Reply,
    Tagged,
    Unparsed,
    Untagged,
    WireEvent,
)
from importer.adapters.imap.wire_values import WireError
from importer.compact.uid_set import Uid, UidSet
from importer.domain.mailbox_content import Outgoing
from importer.domain.messages.message_body import Body, pieces


def read(data: bytes) -> list[WireEvent]:
    return ResponseReader().feed(data)


def read_to_the_end(data: bytes) -> None:
    reader = ResponseReader()
    reader.feed(data)
    reader.feed(b"")  # an error behind other events is raised here


def only(data: bytes) -> WireEvent:
    (event,) = read(data)
    return event


# --- FETCH ---------------------------------------------------------------------------------------------

WHOLE = Fetched(
    7, Uid(42), ("\\Seen", "$Label1"), " 1-Feb-2003 04:05:06 +0130", body=b"Subject: x\r\n\r\n)\r\n"
)


@pytest.mark.parametrize(
    "line",
    [
        b'* 7 FETCH (UID 42 FLAGS (\\Seen $Label1) INTERNALDATE " 1-Feb-2003 04:05:06 +0130"'
        b" BODY[] {17}\r\nSubject: x\r\n\r\n)\r\n)\r\n",
        b"* 7 FETCH (BODY[] {17}\r\nSubject: x\r\n\r\n)\r\n UID 42 FLAGS (\\Seen $Label1)"
        b' INTERNALDATE " 1-Feb-2003 04:05:06 +0130")\r\n',
        b'* 7 FETCH (INTERNALDATE " 1-Feb-2003 04:05:06 +0130" BODY[] {17}\r\nSubject: x\r\n\r\n)\r\n'
        b" FLAGS (\\Seen $Label1) UID 42)\r\n",
        b'* 7 fetch (uid 42 flags ( \\Seen $Label1 ) internaldate " 1-Feb-2003 04:05:06 +0130"'
        b' body[] ~{17}\r\nSubject: x\r\n\r\n)\r\n MODSEQ (12) X-OTHER ("a b" \\Inbox NIL))\r\n',
    ],
)
def test_fetch_items_are_read_in_any_order(line: bytes) -> None:
    assert only(line) == WHOLE


@pytest.mark.parametrize(
    ("response", "labels"),
    [
        (b"()", ()),
        (b"NIL", ()),
        (
            b'("\\\\Inbox" &ANw-bung R&-D "work/project x" NIL)',
            (b"\\Inbox", b"&ANw-bung", b"R&-D", b"work/project x", b"NIL"),
        ),
        (b"(\\Inbox {3}\r\na b)", (b"\\Inbox", b"a b")),
        (b'("\\Seen" "a\\"b" "C:\\\\mail")', (b"\\Seen", b'a"b', b"C:\\mail")),
    ],
)
def test_labels_are_read_in_every_form(response: bytes, labels: tuple[bytes, ...]) -> None:
    assert only(b"* 1 FETCH (X-GM-LABELS " + response + b" UID 5)\r\n") == Fetched(1, Uid(5), labels=labels)


def test_header_lines_and_sizes_are_read() -> None:
    line = (
        b"* 1 FETCH (UID 5 RFC822.SIZE 4096 BODY[HEADER.FIELDS (MESSAGE-ID DATE FROM SUBJECT)] {12}\r\n"
        b"From: a\r\n\r\n\n)\r\n"
    )
    assert only(line) == Fetched(1, Uid(5), size_bytes=4096, header=b"From: a\r\n\r\n\n")


def test_short_content_may_be_a_quoted_string() -> None:
    assert only(b'* 1 FETCH (UID 5 BODY[] "a \\"b\\" \\\\c")\r\n') == Fetched(1, Uid(5), body=b'a "b" \\c')


def test_an_empty_message_differs_from_a_missing_one() -> None:
    assert only(b"* 1 FETCH (UID 5 BODY[] {0}\r\n)\r\n") == Fetched(1, Uid(5), body=b"")
    assert only(b"* 1 FETCH (UID 5 BODY[] NIL)\r\n") == Fetched(1, Uid(5), withheld=True)


def test_unsolicited_flag_changes_have_no_uid() -> None:
    assert only(b"* 3 FETCH (FLAGS ())\r\n") == Fetched(3, flags=())


def test_unsendable_flags_are_dropped() -> None:
    assert only(b'* 3 FETCH (FLAGS (\\Seen "a b" "x) {3}" caf\xe9 {5}\r\na\r\nb!))\r\n') == Fetched(
        3, flags=("\\Seen", "caf\xe9")
    )


def test_unsolicited_responses_are_reported() -> None:
    events = read(
        b"* 12 EXISTS\r\n* 0 RECENT\r\n* 3 EXPUNGE\r\n* VANISHED (EARLIER) 4:6,9\r\n"
        b"* OK [HIGHESTMODSEQ 12] noted\r\n* BYE Autologout\r\n+ go on\r\n+\r\n"
        b"M4 OK [APPENDUID 17 3:5] done\r\nM5 NO\r\nM6 BAD what {7}\r\n"
    )
    assert events == [
        LiteralData("EXISTS", 12),
        LiteralData("RECENT", 0),
        LiteralData("EXPUNGE", 3),
        LiteralData("VANISHED", text=b"(EARLIER) 4:6,9"),
        Untagged(Reply("OK", "HIGHESTMODSEQ", "12", "noted")),
        Untagged(Reply("BYE", text="Autologout")),
        Continue("go on"),
        Continue(""),
        Tagged("M4", Reply("OK", "APPENDUID", "17 3:5", "done")),
        Tagged("M5", Reply("NO")),
        Tagged("M6", Reply("BAD", text="what {7}")),
    ]


@pytest.mark.parametrize(
    ("rest", "reply"),
    [
        (b"[OVERQUOTA] full", Reply("NO", "OVERQUOTA", "", "full")),
        (b"[overquota]", Reply("NO", "OVERQUOTA")),
        (b"[APPENDUID 38505 3955:3957,1] ok", Reply("NO", "APPENDUID", "38505 3955:3957,1", "ok")),
        (b"[UIDVALIDITY 3857529045] UIDs [valid]", Reply("NO", "UIDVALIDITY", "3857529045", "UIDs [valid]")),
        (
            b"[PERMANENTFLAGS (\\Seen a]b [c] \\*)] kept",
            Reply("NO", "PERMANENTFLAGS", "(\\Seen a]b [c] \\*)", "kept"),
        ),
        (b"[PERMANENTFLAGS (\\Seen] kept", Reply("NO", "PERMANENTFLAGS", "(\\Seen", "kept")),
        (b"no [code] here", Reply("NO", text="no [code] here")),
        ("Größe".encode(), Reply("NO", text="Größe")),
        ("Größe".encode("latin-1"), Reply("NO", text="Größe")),
    ],
)
def test_response_codes_are_parsed(rest: bytes, reply: Reply) -> None:
    assert only(b"M1 NO " + rest + b"\r\n") == Tagged("M1", reply)


def test_values_distinguish_strings_lists_literals_and_nil() -> None:
    data = only(b'* LIST (\\HasNoChildren) "/" {3}\r\na"b\r\n')
    assert isinstance(data, LiteralData)
    assert data.values() == ((b"\\HasNoChildren",), b"/", b'a"b')
    data = only(b'* LIST () NIL "NIL"\r\n')
    assert isinstance(data, LiteralData)
    assert data.values() == ((), None, b"NIL")


@pytest.mark.parametrize(
    "line",
    [
        b"220 mail.example ESMTP",
        b"HTTP/1.1 400 Bad Request",
        b"* ",
        b"* 1 FETCH (UID)",
        b"* 1 FETCH UID 5",
        b'* 1 FETCH (UID 5 INTERNALDATE "1-Jan)',
        b"* 1 FETCH (UID 5 BODY[] (1 2))",
        b"an advertisement of the host",
    ],
)
def test_a_line_without_meaning_costs_only_itself(line: bytes) -> None:
    assert read(line + b"\r\n* 5 EXISTS\r\n") == [Unparsed(line), LiteralData("EXISTS", 5)]


@pytest.mark.parametrize(
    "garbage",
    [
        b"M7 YES of course\r\n",  # no other reply will come
        b"\r\n" * 1001,
        b"buy now\r\n" * 1001,
        # What follows a literal may be the rest of a message, of which the server announced too little.
        b"* 4 FETCH (UID 4 BODY[] {3}\r\nabcdef gh)\r\n",
        b"* 4 FETCH (UID 4 BODY[] {15}\r\nabc)\r\nM5 OK Done completed\r\n",  # no more will come
        b"* 4 FETCH (UID 4 BODY[] {3}\r\nabcdef\r\n)\r\nM1 OK done\r\n",
        b"* 4 FETCH (UID 4 BODY[] {3}\r\nabc\r\n* 5 FETCH (UID 5)\r\n",
    ],
)
def test_what_makes_all_that_follows_uncertain_is_refused(garbage: bytes) -> None:
    with pytest.raises(WireError):
        read_to_the_end(garbage)


def test_an_invalid_response_names_its_message() -> None:
    with pytest.raises(WireError) as refused:
        read(b"* 4 FETCH (UID 40 BODY[] {3}\r\nabcdef gh)\r\n")
    assert refused.value.uid == 40


# --- What is not as it should be, and can only mean one thing ---------------------------------------------

CONTENT = b"* 7 FETCH (UID 42 BODY[] {3}\r\nabc"
READ = Fetched(7, Uid(42), body=b"abc")


@pytest.mark.parametrize(
    ("line", "event"),
    [
        (b"*  5 EXISTS\r\n", LiteralData("EXISTS", 5)),
        (b"*\t5 EXISTS\r\n", LiteralData("EXISTS", 5)),
        (b" * 5 EXISTS\r\n", LiteralData("EXISTS", 5)),
        (b"*5 EXISTS\r\n", LiteralData("EXISTS", 5)),
        (b"* 5 EXISTS\n", LiteralData("EXISTS", 5)),
        (b"\0\0\r\n\0* 5 EXISTS\0\r\n", LiteralData("EXISTS", 5)),
        (b"\0M1 OK done\r\n", Tagged("M1", Reply("OK", text="done"))),
        (b"\0\0* 7 FETCH (UID 42 BODY[] {3}\r\nabc)\r\n", READ),
        (b"\r\n  \r\n* 5 EXISTS\r\n", LiteralData("EXISTS", 5)),
        (b"*   OK [UIDNEXT 5] x\r\n", Untagged(Reply("OK", "UIDNEXT", "5", "x"))),
        (b" M1 OK done\r\n", Tagged("M1", Reply("OK", text="done"))),
        (CONTENT + b"\r\n)\r\n", READ),
        (CONTENT + b"\r\n\r\n \r\n)\r\n", READ),
        (CONTENT + b"))\r\n", READ),
        (CONTENT + b") FLAGS (\\Seen))\r\n", READ._replace(flags=("\\Seen",))),
        (b"*  7 FETCH (UID 42 BODY[] {3}\r\nabc)\r\n", READ),
        (b"* 7 FETCH (UID 42 RFC822 {3}\r\nabc)\r\n", READ),
        (b"* 7 FETCH (UID 42 BODY[]<0> {3}\r\nabc)\r\n", READ),
        (b"* 7 FETCH (UID 42 RFC822.SIZE -2)\r\n", Fetched(7, Uid(42))),
        (b"* 7 FETCH (UID 42 RFC822.SIZE 4294967294)\r\n", Fetched(7, Uid(42), size_bytes=4294967294)),
        (b"* 7 FETCH (UID 42 RFC822.SIZE 4294967295)\r\n", Fetched(7, Uid(42))),
        (b"* 7 FETCH (UID 42 RFC822.SIZE 9223372036854775807)\r\n", Fetched(7, Uid(42))),
        (b"* 7 FETCH (UID 42 RFC822.SIZE NIL INTERNALDATE NIL)\r\n", Fetched(7, Uid(42))),
        (b"* 7 FETCH (UID five RFC822.SIZE 3)\r\n", Fetched(7, size_bytes=3)),
        (b"* 7 FETCH (UID 42 FLAGS (\\ \\Seen))\r\n", Fetched(7, Uid(42), ("\\Seen",))),
    ],
)
def test_a_deviation_that_means_one_thing_is_understood(line: bytes, event: WireEvent) -> None:
    assert read(line) == [event]


def test_a_parenthesis_that_closes_too_early_costs_nothing() -> None:
    lines = CONTENT + b')\r\n FLAGS (\\Seen) INTERNALDATE "1-Feb-2003 04:05:06 +0000")\r\nM1 OK done\r\n'
    assert read(lines) == [
        READ,
        Fetched(7, Uid(42), ("\\Seen",), "1-Feb-2003 04:05:06 +0000"),
        Tagged("M1", Reply("OK", text="done")),
    ]


def test_a_parenthesis_that_never_closes_ends_with_the_next_response() -> None:
    lines = b"* 7 FETCH (UID 42 FLAGS (\\Seen)\r\n* 8 FETCH (UID 43 FLAGS (\r\nM1 OK done\r\n"
    assert read(lines) == [
        Fetched(7, Uid(42), ("\\Seen",)),
        Fetched(8, Uid(43), ()),
        Tagged("M1", Reply("OK", text="done")),
    ]


def test_items_are_only_added_to_the_response_just_before() -> None:
    assert read(b"* 7 FETCH (UID 42)\r\n* 5 EXISTS\r\n FLAGS (\\Seen))\r\n") == [
        Fetched(7, Uid(42)),
        LiteralData("EXISTS", 5),
        Unparsed(b"FLAGS (\\Seen))"),
    ]


@pytest.mark.parametrize("rest", [b"\x0c", b"\x0b \x1c"])
def test_blanks_other_than_spaces_behind_a_literal_are_no_item(rest: bytes) -> None:
    with pytest.raises(WireError):
        ResponseReader().feed(b"* 1 FETCH (UID 1 BODY[] {1}\r\nx" + rest + b"\r\n")


def test_tabs_and_doubled_carriage_returns_are_what_they_must_mean() -> None:
    usual = b"* 1 FETCH (UID 1 FLAGS (\\Seen \\Draft) BODY[] {1}\r\nx)\r\n"
    odd = usual.replace(b" ", b"\t").replace(b"*\t", b"* ").replace(b"\r\n", b"\r\r\n")
    assert ResponseReader().feed(odd) == ResponseReader().feed(usual)
    assert ResponseReader().feed(b"M1 OK done\r\r\n") == ResponseReader().feed(b"M1 OK done\r\n")


def test_endless_lines_and_huge_literals_are_rejected_before_buffering() -> None:
    with pytest.raises(WireError):
        ResponseReader(max_line_bytes=1000).feed(b"* OK " + b"x" * 1000)
    with pytest.raises(LiteralTooLarge):
        ResponseReader(max_literal_bytes=1000).feed(b"* 1 FETCH (BODY[] {99999999999}\r\n")
    with pytest.raises(LiteralTooLarge):  # many small literals count as a large one
        ResponseReader(max_literal_bytes=1000).feed(b"* 1 FETCH (X {600}\r\n" + b"x" * 600 + b" Y {600}\r\n")
    with pytest.raises(WireError):
        ResponseReader(max_line_bytes=1000).feed(b"* 1 FETCH (" + b"X {0}\r\n" * 200)


def test_a_literal_knows_how_many_bytes_it_lacks() -> None:
    literals = IncomingLiterals()
    line = b"* 1 FETCH (UID 5 BODY[] {10}"
    literals.begin(10, line, line)
    assert literals.missing_bytes == 10
    assert literals.take(b"abcd", 0) == 4
    assert literals.missing_bytes == 6
    assert literals.take(b"efghij)\r\n", 0) == 6
    assert literals.missing_bytes == 0
    assert literals.complete == [b"abcdefghij"]


# --- Commands ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [b"a\r\nX1 NOOP", b"a\nb", b"a\rb", b"a\0b"])
def test_arguments_cannot_inject_lines(text: bytes) -> None:
    for build in (line_safe, quoted):
        with pytest.raises(UnsafeText) as caught:
            build(text)
        assert "NOOP" not in str(caught.value)


def test_quotes_and_backslashes_are_escaped() -> None:
    assert quoted(b'a "b" \\c') == b'"a \\"b\\" \\\\c"'


def pieces_of(run: list[Body]) -> list[bytes]:
    return [piece for part in run for piece in pieces(part)]


def outgoing(body: bytes, *flags: str, internaldate: str = "") -> Outgoing:
    return Outgoing(Uid(1), flags, internaldate, body)


def test_one_message_is_an_append() -> None:
    message = outgoing(b"ab\r\n", "\\Seen", "work", internaldate=" 1-Feb-2003 04:05:06 +0130")
    assert list(append_runs(b'"INBOX"', [part(message)], Literals.PLUS)) == [
        [b'APPEND "INBOX" (\\Seen work) " 1-Feb-2003 04:05:06 +0130" {4+}\r\n', b"ab\r\n", b"\r\n"]
    ]


def test_several_messages_are_one_multiappend() -> None:
    (run,) = append_runs(b'"A"', [part(outgoing(b"a")), part(outgoing(b"", "\\Seen"))], Literals.PLUS)
    assert b"".join(pieces_of(run)) == b'APPEND "A" {1+}\r\na (\\Seen) {0+}\r\n\r\n'


@pytest.mark.parametrize(
    ("literals", "expected"),
    [
        (Literals.SYNCHRONIZING, [b" {4096}", b" {4097}", b""]),
        (Literals.MINUS, [b" {4096+} {4097}", b""]),
        (Literals.PLUS, [b" {4096+} {4097+}"]),
    ],
)
def test_a_literal_is_synchronised_only_if_the_server_requires_it(
    literals: Literals, expected: list[bytes]
) -> None:
    messages = [outgoing(b"x" * 4096), outgoing(b"x" * 4097)]
    runs = [
        b"".join(pieces_of(run))
        for run in append_runs(b'"A"', [part(message) for message in messages], literals)
    ]
    plain = b"".join(runs).replace(b"+}", b"}")
    assert plain == b'APPEND "A" {4096}\r\n' + b"x" * 4096 + b" {4097}\r\n" + b"x" * 4097 + b"\r\n"
    announced = [run.replace(b"x", b"").replace(b"\r\n", b"").removeprefix(b'APPEND "A"') for run in runs]
    assert announced == expected
    assert all(run.endswith(b"}\r\n") for run in runs[:-1])


def test_the_literal_form_follows_the_capabilities() -> None:
    assert Literals.offered(frozenset({"IMAP4REV1", "LITERAL+", "LITERAL-"})) is Literals.PLUS
    assert Literals.offered(frozenset({"LITERAL-"})) is Literals.MINUS
    assert Literals.offered(frozenset()) is Literals.SYNCHRONIZING


def test_uid_sets_are_split_to_fit_into_command_lines() -> None:
    uids = UidSet.of(range(1, 20_001, 2))
    pieces = list(uid_pieces(uids, 1500, 6000))
    assert UidSet.from_ranges(r for piece in pieces for r in piece.ranges) == uids
    assert all(len(str(piece)) <= 6000 and len(piece) <= 1500 for piece in pieces)
    assert list(uid_pieces(UidSet(), 10)) == []


# --- Folder names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"inbox", "INBOX"),
        (b"Entw&APw-rfe", "Entwürfe"),
        (b"R&-D", "R&D"),
        (b"&2D3cAQ-", "\U0001f401"),
        (b"R&D", "R&D"),  # not encoded: a server error, but the folder exists
        ("Entwürfe".encode(), "Entwürfe"),
        (b"Entw\xfcrfe", "Entw\\xfcrfe"),
        (b"&2D0-", "&2D0-"),  # half a surrogate pair
    ],
)
def test_a_folder_is_addressed_by_its_listed_name(raw: bytes, name: str) -> None:
    names = FolderNames()
    assert names.decode(raw) == name
    assert names.quoted(name).upper() == quoted(raw).upper()


@pytest.mark.parametrize("other", ["Entwürfe".encode(), b"Entw&APw-rfe (2)"])
def test_folders_with_equal_decoded_names_stay_distinct(other: bytes) -> None:
    names = FolderNames()
    raws = [b"Entw&APw-rfe", other, "Entwürfe (2)".encode()]
    decoded = [names.decode(raw) for raw in raws]
    assert len(set(decoded)) == 3
    assert [names.quoted(name) for name in decoded] == [quoted(raw) for raw in raws]
    assert [names.decode(raw) for raw in reversed(raws)] == decoded[::-1]  # also for LSUB or another LIST


def test_a_new_folder_is_encoded_in_modified_utf7() -> None:
    assert FolderNames().quoted('Größe & "so"') == b'"Gr&APYA3w-e &- \\"so\\""'
