"""However the network splits a server's responses, they parse the same."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from importer.adapters.imap.response_reader import ResponseReader
from importer.adapters.imap.wire_events import Fetched, Reply, Tagged, Unparsed, WireEvent
from importer.adapters.imap.wire_values import WireError, parse_values
from importer.compact.uid_set import Uid

DATES = st.sampled_from([" 1-Feb-2003 04:05:06 +0130", "31-Dec-1999 23:59:59 -1200"])
FLAGS = st.lists(st.sampled_from(["\\Seen", "\\Flagged", "$Label1", "caf\xe9"]), max_size=3)
CONTENT = st.binary(max_size=40) | st.sampled_from(
    [b")\r\n", b"M1 OK\r\n", b"{3}\r\n", b"* 1 EXISTS\r\n", b""]
)
OTHER_LINES = st.sampled_from(
    [
        b"* 5 EXISTS\r\n",
        b"* OK [UIDNEXT 5] x {9}\r\n",
        b'* LIST (\\Noselect) NIL {4}\r\n\r\n")\r\n',
        b'* ESEARCH (TAG "M1") UID ALL 1:3,7\r\n',
        b"+ \r\n",
        b"M1 OK [APPENDUID 1 2:3] {4}\r\n",
        b"M2 NO [OVERQUOTA] full\r\n",
    ]
)


def string(value: bytes) -> st.SearchStrategy[bytes]:
    """The ways to write a string: as a literal, and quoted where possible."""
    ways = [b"{%d}\r\n%s" % (len(value), value)]
    if not set(value) & {0, 10, 13}:
        ways.append(b'"' + value.replace(b"\\", rb"\\").replace(b'"', rb"\"") + b'"')
    return st.sampled_from(ways)


@st.composite
def fetch_responses(draw: st.DrawFn) -> tuple[bytes, Fetched]:
    """A FETCH response in any order and form, and its parsed content."""
    uid, size = draw(st.integers(1, 2**32 - 1)), draw(st.integers(0, 2**32 - 2))
    flags, date, body = draw(FLAGS), draw(DATES), draw(CONTENT)
    items = [
        b"UID %d" % uid,
        b"RFC822.SIZE %d" % size,
        b"FLAGS (" + " ".join(flags).encode("latin-1") + b")",
        b'INTERNALDATE "' + date.encode() + b'"',
        b"BODY[] " + draw(string(body)),
        b"X-GM-LABELS (NIL (" + draw(CONTENT.flatmap(string)) + b"))",
    ]
    line = b"* 9 FETCH (" + b" ".join(draw(st.permutations(items))) + b")\r\n"
    return line, Fetched(9, Uid(uid), tuple(flags), date, size, body=body, labels=(b"NIL",))


@given(fetch_responses())
def test_a_fetch_response_is_parsed(response: tuple[bytes, Fetched]) -> None:
    line, expected = response
    assert ResponseReader().feed(line) == [expected]


@given(st.lists(fetch_responses().map(lambda r: r[0]) | OTHER_LINES, min_size=1, max_size=3), st.data())
def test_splitting_the_input_anywhere_gives_the_same_events(lines: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(lines)
    whole = ResponseReader().feed(stream)
    assert len(whole) == len(lines)
    for cut in range(len(stream) + 1):
        reader = ResponseReader()
        assert reader.feed(stream[:cut]) + reader.feed(stream[cut:]) == whole
    reader, pieces = ResponseReader(), list[WireEvent]()
    for byte in stream:
        pieces += reader.feed(bytes([byte]))
    assert pieces == whole


DEVIATIONS = st.sampled_from(
    [
        (b"* ", b"*  "),
        (b"* ", b" *\t"),
        (b")\r\n", b"\r\n)\r\n"),
        (b")\r\n", b")\r\n\r\n"),
        (b")\r\n", b"))\r\n"),
        (b")\r\n", b")\n"),
    ]
)


@given(fetch_responses(), st.lists(DEVIATIONS, max_size=3), st.data())
def test_a_response_with_deviations_is_parsed_however_it_is_split(
    response: tuple[bytes, Fetched], deviations: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    line, expected = response
    for regular, odd in deviations:
        if regular == b"* ":
            line = odd + line.lstrip(b"* \t")
        elif line.endswith(regular):
            line = line[: -len(regular)] + odd
    stream = line + b"M1 OK done\r\n"
    whole = ResponseReader().feed(stream)
    assert whole[0] == expected
    assert [event for event in whole[1:] if not isinstance(event, Unparsed)] == [
        Tagged("M1", Reply("OK", text="done"))
    ]
    cut = data.draw(st.integers(0, len(stream)))
    reader = ResponseReader()
    assert reader.feed(stream[:cut]) + reader.feed(stream[cut:]) == whole


@given(st.binary(max_size=60).map(lambda tail: b"* 1 FETCH (" + tail + b"\r\n") | st.binary(max_size=60))
@example(b"* 1 FETCH (" + b"(" * 5000 + b"\r\n")
@example(b"* 1 FETCH (FLAGS (\\Seen {2}\r\n)\r\n")
def test_hostile_bytes_give_events_or_a_wire_error(stream: bytes) -> None:
    reader = ResponseReader(max_line_bytes=10_000, max_literal_bytes=1000)
    try:
        reader.feed(stream)
    except WireError:
        return


@given(st.text(alphabet='()"\\{} aNIL1\r\n', max_size=30))
def test_any_text_parses_or_raises(text: str) -> None:
    try:
        parse_values(text.encode())
    except WireError:
        return
