"""Messages whose end is missing are recognised."""

from __future__ import annotations

import pytest

from importer.domain.messages.message_completeness import lacks_its_end
from importer.domain.messages.message_identity import header_block

PARTS = b"\r\n\r\n--b 1\r\n\r\none\r\n"


@pytest.mark.parametrize(
    "field",
    [
        b'Content-Type: multipart/mixed; boundary="b 1"',
        b'CONTENT-TYPE:MULTIPART/mixed; charset=x; BOUNDARY="b 1"; a=b',
        b'Content-Type: multipart/alternative;\r\n\tcharset=x;\r\n boundary = "b 1"',
        b'Content-Type:\r\n multipart/mixed; boundary="b 1"\r\nSubject: y',
    ],
)
@pytest.mark.parametrize("before", [b"", b"Subject: x\r\n", b"Subject: about multipart\r\nFrom: a\r\n"])
def test_a_multipart_message_ends_with_its_last_delimiter(field: bytes, before: bytes) -> None:
    cut = before + field + PARTS
    for message in (cut, cut.replace(b"\r\n", b"\n")):
        assert lacks_its_end(message, header_block(message))
        whole = message + b"--b 1--\r\nepilogue"
        assert not lacks_its_end(whole, header_block(whole))


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"Subject: multipart/x; boundary=x\r\n\r\n",
        b"Content-Type: text/plain\r\n\r\nContent-Type: multipart/mixed; boundary=x\r\n",
        b"Content-Type: multipart/mixed\r\nSubject: boundary=x\r\n\r\n",
        b"Content-Type: text/plain\n\nContent-Type: multipart/mixed; boundary=x\n\r\n",
        b"Content-Type: text/plain; boundary=multipart/x\r\n\r\n",
    ],
)
def test_other_messages_have_no_delimiter_to_miss(message: bytes) -> None:
    assert not lacks_its_end(message, header_block(message))
