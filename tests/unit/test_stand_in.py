"""The notice that Exchange delivers in place of a message is recognised, and no mail is taken for one."""

from __future__ import annotations

import pytest

from importer.domain.messages.message_identity import header_block
from importer.domain.messages.stand_in import about_original, is_stand_in

SUBJECT = b"Subject: Retrieval using the IMAP4 protocol failed for the following\r\n message: 20004\r\n"
NOTICE = (
    b"From: Microsoft Exchange Server 2010\r\nTo: Ada <ada@old.example>\r\n" + SUBJECT + b"\r\n"
    b"The server couldn't retrieve the following message:\r\n\r\n"
    b'Subject: "Canceled: Budget"\r\nFrom: "Ada" ("XXX")\r\nSent date: 1/2/2016\r\n\r\nIt is not deleted.\r\n'
)


def stands_in(body: bytes, uid: int = 20004) -> bool:
    return is_stand_in(uid, body, header_block(body))


def test_a_notice_of_exchange_is_recognised_in_any_language() -> None:
    assert stands_in(NOTICE)
    assert stands_in(NOTICE.replace(b"Microsoft Exchange Server 2010", b'"Microsoft Exchange Server"'))
    assert stands_in(NOTICE.replace(SUBJECT, b"Subject: Fehler beim Abrufen der Nachricht: 20004\r\n"))


@pytest.mark.parametrize(
    "mail",
    [
        NOTICE.replace(b": 20004", b": 20005"),  # the copy of a notice that was stored
        NOTICE.replace(b"Server 2010", b"Server <exchange@old.example>"),
        NOTICE.replace(b"Microsoft Exchange", b"Ada"),
        b"Message-ID: <1@old.example>\r\n" + NOTICE,
        NOTICE + b"x" * 20_000,
        b"Subject: Microsoft Exchange 20004\r\n\r\n",
        b"",
    ],
)
def test_mail_is_not_taken_for_a_notice(mail: bytes) -> None:
    assert not stands_in(mail)


def test_a_notice_says_which_message_it_is() -> None:
    about = 'Subject: "Canceled: Budget" From: "Ada" ("XXX") Sent date: 1/2/2016'
    assert about_original(NOTICE) == about
    assert about_original(b'Content-Type: text/plain; charset="x-none"\r\n' + NOTICE) == about
    assert about_original(header_block(NOTICE)) == ""
