"""A large message stays the same however it is split on its way."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from importer.adapters.imap.response_reader import ResponseReader
from importer.adapters.imap.spool import Spool, SpooledBody, SpoolFiles
from importer.adapters.imap.wire_events import Fetched
from importer.compact.uid_set import Uid
from importer.domain.messages.message_body import SPOOLED_ABOVE_BYTES, whole
from importer.domain.messages.message_identity import digest, header_block, with_crlf
from importer.ports.process import OwnDiskFull

texts = st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b"Subject: x"]), max_size=20)


def spooled(pieces: list[bytes], files: SpoolFiles | None = None) -> SpooledBody:
    spool = Spool(files or SpoolFiles(None))
    for piece in pieces:
        spool.write(piece)
    return spool.finish()


@given(st.lists(texts.map(b"".join), max_size=6))
@example([b"Subject: x\r", b"\n\r", b"\nbody\r"])
@example([b"\r", b"\r", b"\n"])
def test_pieces_are_joined_to_the_message(pieces: list[bytes]) -> None:
    message = b"".join(pieces)
    body = spooled(pieces)
    assert whole(body) == whole(body) == with_crlf(message)
    assert len(body) == len(with_crlf(message))
    assert body.digest == digest(message) == digest(body)
    assert body.header == header_block(with_crlf(message)) == header_block(body)


@given(st.lists(st.tuples(texts.map(b"".join), st.integers(0, 3)), max_size=12))
@example([(b"long\r\n" * 9, 0), (b"short\r\n", 0)])
@example([(b"one", 0), (b"other", 1), (b"third", 0)])
def test_a_file_belongs_to_one_message_at_a_time(messages: list[tuple[bytes, int]]) -> None:
    """Each message replaces another one, whose body and file are released."""
    files = SpoolFiles(None)
    held: dict[int, tuple[bytes, SpooledBody]] = {}
    for message, place in messages:
        held[place] = message, spooled([message], files)
        for sent, body in held.values():
            assert whole(body) == with_crlf(sent)
            assert body.digest == digest(sent)


@pytest.mark.parametrize("cut", [1, 100_000, 1 << 20, 5 << 20])
def test_a_large_message_in_a_response_is_spooled(cut: int) -> None:
    message = b"Subject: large\r\n\r\n" + b"0123456789abcde\n" * (SPOOLED_ABOVE_BYTES // 16)
    response = b"* 1 FETCH (UID 5 BODY[] {%d}\r\n%s)\r\n" % (len(message), message)
    reader = ResponseReader(spool=lambda: Spool(SpoolFiles(None)))
    start = len(response) % cut or cut
    events = reader.feed(response[:start])
    for at in range(start, len(response), cut) if cut > 1 else [start]:
        events += reader.feed(response[at : at + cut] if cut > 1 else response[at:])
    (event,) = events
    assert isinstance(event, Fetched)
    assert event.uid == Uid(5)
    assert isinstance(event.body, SpooledBody)
    assert whole(event.body) == with_crlf(message)


def test_a_full_disk_is_reported(tmp_path: Path) -> None:
    with pytest.raises(OwnDiskFull, match=r"disk_full .*No such file"):
        Spool(SpoolFiles(tmp_path / "missing"))
