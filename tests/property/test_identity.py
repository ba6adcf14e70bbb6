"""Line ends: a bare LF is recognised whatever surrounds it, and wherever the cached pieces end."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.domain.messages import message_identity
from importer.domain.messages.message_identity import with_crlf

LINES = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"\xff"]), max_size=40).map(b"".join)


@pytest.mark.parametrize("cached_bytes", [1, 2, 3, 64])
@given(body=LINES)
def test_only_bare_line_feeds_get_a_carriage_return(cached_bytes: int, body: bytes) -> None:
    expected = re.sub(rb"(?<!\r)\n", b"\r\n", body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(message_identity, "_CACHED_BYTES", cached_bytes)
        sent = with_crlf(body)
    assert sent == expected
    if re.fullmatch(rb"(?:\r\n|[^\r\n])*", body):
        assert sent is body


@pytest.mark.parametrize("cached_bytes", [7, 64, 4096])
@given(
    line_bytes=st.integers(1, 9),
    lines=st.integers(0, 30),
    before=st.binary(max_size=3),
    after=st.binary(max_size=3),
    damage=st.lists(st.tuples(st.integers(0, 400), st.sampled_from(b"\r\na")), max_size=3),
)
def test_lines_of_equal_length_are_looked_at_as_closely(
    cached_bytes: int,
    line_bytes: int,
    lines: int,
    before: bytes,
    after: bytes,
    damage: list[tuple[int, int]],
) -> None:
    """As those of an attachment are, with bytes replaced anywhere."""
    body = bytearray(before + (b"a" * (line_bytes - 1) + b"\r\n") * lines + after)
    for at, byte in damage:
        if at < len(body):
            body[at] = byte
    expected = re.sub(rb"(?<!\r)\n", b"\r\n", bytes(body))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(message_identity, "_CACHED_BYTES", cached_bytes)
        assert with_crlf(bytes(body)) == expected
