"""Unusual messages, as found in real mailboxes and mail corpora. All differ in content."""

from __future__ import annotations

from typing import Final

_TEXT: Final = b"\r\nas agreed on the phone\r\n"


def _head(name: str) -> bytes:
    return b"Message-ID: <%s@old.example>\r\nFrom: ada@old.example\r\nSubject: %s\r\n" % (
        name.replace(" ", ".").encode(),
        name.encode(),
    )


def _plain(name: str, fields: bytes = b"", text: bytes = _TEXT) -> bytes:
    return _head(name) + fields + text


def _many_parts(parts: int) -> bytes:
    part = b"\r\n--b\r\nContent-Type: text/plain\r\n\r\nThis is part number %d of many, with some text.\r\n"
    kind = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
    return _head(f"{parts} parts") + kind + b"".join(part % n for n in range(parts)) + b"\r\n--b--\r\n"


def _nested_multiparts(levels: int) -> bytes:
    inner = b"Content-Type: text/plain\r\n\r\ninnermost\r\n"
    for level in range(levels):
        inner = b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n%s\r\n--b%d--\r\n" % (
            *(level, level),
            inner,
            level,
        )
    return _head(f"{levels} levels of parts") + b"MIME-Version: 1.0\r\n" + inner


def _nested_messages(levels: int) -> bytes:
    inner = _plain("innermost message")
    for level in range(levels):
        inner = (
            _head(f"message at level {level}")
            + b"MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\n"
            + inner
        )
    return inner


ODD_MESSAGES: Final[dict[str, bytes]] = {
    "plain": _plain("plain"),
    "no Message-ID": b"From: ada@old.example\r\nSubject: no id\r\n" + _TEXT,
    "no Message-ID, another": b"From: ada@old.example\r\nSubject: no id\r\n\r\nanother text\r\n",
    "same Message-ID": _head("plain") + b"\r\nanother text under the same Message-ID\r\n",
    "only a header": _head("only a header") + b"\r\n",
    "header without its end": _head("header without its end"),
    "no header": b"\r\ntext without a header\r\n",
    "text instead of a header": b"this is no header, and no empty line follows\r\nsecond line\r\n",
    "empty lines first": b"\r\n\r\n" + _plain("empty lines first"),
    "empty": b"",
    "one line end": b"\r\n",
    "no line end at the end": _plain("no line end at the end", text=b"\r\nthe last line"),
    "empty lines at the end": _plain("empty lines at the end", text=_TEXT + b"\r\n" * 5),
    "lone dot": _plain("lone dot", text=b"\r\nbefore\r\n.\r\n..\r\nafter\r\n"),
    "like the protocol": _plain("like the protocol", text=b"\r\n)\r\n* 1 EXISTS\r\nA1 OK {5}\r\n* BYE\r\n"),
    "From_ line first": b"From ada@old.example Mon Feb  2 10:00:00 1998\r\n" + _plain("From_ line first"),
    "From_ line in the text": _plain(
        "From_ line in the text",
        text=b"\r\n\r\nFrom ada@old.example Mon Feb  2 10:00:00 1998\r\nX-Field: x\r\n\r\n>From me\r\n",
    ),
    "byte order mark": b"\xef\xbb\xbf" + _plain("byte order mark"),
    "8-bit header in UTF-8": _plain("utf8", "Comments: Grüße aus 日本\r\n".encode()),
    "8-bit header in Latin-1": _plain("latin1", "Comments: Grüße\r\n".encode("latin-1")),
    "8-bit text": _plain("8-bit text", text=b"\r\n" + bytes(range(128, 256)) + b"\r\n"),
    "bare LF in the text": _plain("bare LF", text=b"\r\none\ntwo\nthree\r\n"),
    "bare LF everywhere": _plain("bare LF everywhere").replace(b"\r\n", b"\n"),
    "bare CR in the text": _plain("bare CR", text=b"\r\none\rtwo\rthree\r\n"),
    "CR CR LF": _plain("CR CR LF", text=b"\r\none\r\r\ntwo\r\r\n"),
    "NUL in the text": _plain("NUL in the text", text=b"\r\nbefore\0after\r\n"),
    "NUL in the header": _plain("NUL in the header", b"X-Field: before\0after\r\n"),
    "control characters": _plain("control", text=b"\r\n" + bytes(range(1, 10)) + b"\x0b\x0c\x1a\x1b\x7f\r\n"),
    "line of 200 kB": _plain("long line", text=b"\r\n" + b"x" * 200_000 + b"\r\n"),
    "header line of 50 kB": _plain("long field", b"X-Long: " + b"y" * 50_000 + b"\r\n"),
    "header of 300 kB": _plain(
        "huge header", b"X-Field: " + b"z" * 70 + b"\r\n" + b"\tfolded line\r\n" * 23_000
    ),
    "6000 fields": _plain("6000 fields", b"".join(b"X-Field-%d: %d\r\n" % (n, n) for n in range(6000))),
    "600 parts": _many_parts(600),
    "150 levels of parts": _nested_multiparts(150),
    "60 levels of messages": _nested_messages(60),
    "boundary that never comes": _plain(
        "boundary", b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=never\r\n"
    ),
    "blank before the colon": b"Message-ID : <blank@old.example>\r\nFrom : a@b.example\r\nSubject : b\r\n"
    + _TEXT,
    "From folded before its colon": b"Message-ID: <f@old.example>\r\nFrom\r\n : <a@b.example>\r\n" + _TEXT,
    "field without a name": _plain("field without a name", b": no name\r\n"),
    "line without a colon": _plain("line without a colon", b"no colon here\r\n"),
    "folded with blanks only": _plain("blanks", b"X-Folded: one\r\n \r\n two\r\n"),
    "two Message-IDs": _plain("two ids", b"Message-ID: <second@old.example>\r\nSubject: second\r\n"),
    "fields of an mbox": _plain(
        "mbox fields", b"Status: RO\r\nX-Status: A\r\nX-UID: 12\r\nContent-Length: 26\r\n"
    ),
    "fields of Thunderbird": _plain("mozilla fields", b"X-Mozilla-Status: 0001\r\nX-Mozilla-Keys: work\r\n"),
    "quotes and backslashes": _plain("quotes", b'To: "a \\"b\\" \\\\" <c@d.example>, "\r\n'),
    "2 MB": _plain("large", text=b"\r\n" + b"0123456789abcdef0123456789abcdef\r\n" * 60_000),
}
