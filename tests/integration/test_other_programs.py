"""Mail that other programs brought to a real server is recognised, and nothing is lost or doubled.

What the programs do to messages is done by hand here, as seen with mbsync 1.4.4 (X-TUID), Thunderbird 128
(X-Mozilla-*), GNU mailutils 3.15 and mbox files (From_ line, Status and the like).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from importer.domain.messages.canonical_form import canonical_digest
from tests.conftest import MakeUser
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.corpus import corpus
from tests.rehearsal.dovecot import Dovecot, DovecotOptions, dovecot
from tests.rehearsal.fill import INBOX, Stored, connect
from tests.rehearsal.hosts import User
from tests.rehearsal.installation import Installation

SEPARATOR = b"From ada@old.example Mon Feb  2 10:00:00 1998\r\n"


def without_last_line_ends(content: bytes) -> bytes:
    while content.endswith(b"\r\n"):
        content = content[:-2]
    return content


def behind_first_field(content: bytes, fields: bytes) -> bytes:
    first, rest = content.split(b"\r\n", 1)
    return first + b"\r\n" + fields + rest


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda content: content,
    "mbsync": lambda content: b"X-TUID: 2nBQcJjxNzpR\r\n" + content,
    "Thunderbird": lambda content: (
        b"X-Mozilla-Status: 0001\r\nX-Mozilla-Status2: 00000000\r\nX-Mozilla-Keys: $label1  \r\n" + content
    ),
    "mbox": lambda content: (
        SEPARATOR
        + behind_first_field(content, b"Status: RO\r\nX-Status: A\r\nX-UID: 12\r\nX-Keywords: work\r\n")
        + b"\r\n"
    ),
    "mbox of another program": lambda content: behind_first_field(
        content, b"X-IMAPbase: 1234567890 0000000012\r\nContent-Length: 77\r\nLines: 2\r\n"
    ),
    "mailutils": lambda content: behind_first_field(
        content, b"X-IMAPbase: 1795971173                   19\r\nX-UID: 1\r\nStatus: FdR\r\n"
    ),
    "line ends cut": without_last_line_ends,
    "line ends added": lambda content: content + b"\r\n\r\n\r\n",
}
FOLDED_FROM = (
    b"Message-ID: <folded@old.example>\r\nFrom\r\n : <ada@old.example>\r\nSubject: folded\r\n\r\ntext\r\n"
)
ODD = (
    FOLDED_FROM,
    FOLDED_FROM.replace(b"Message-ID: <folded@old.example>\r\n", b""),
    b"Message-ID : <blank@old.example>\r\nFrom : ada@old.example\r\nSubject : blank\r\n\r\ntext\r\n",
    b"text without a header\r\n",
    b"Subject: only a header\r\n\r\n",
)


@pytest.fixture(scope="module", params=["maildir", "mdbox", "mbox"])
def destination(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority
) -> Iterator[Dovecot]:
    options = DovecotOptions(mail_driver=request.param, special_use=False)
    with dovecot(tmp_path_factory.mktemp("destination"), options, ca=ca) as server:
        yield server


def mailbox(change: str) -> list[Stored]:
    one = next(corpus(1))
    odd = [replace(one, folder=INBOX, content=content) for content in ODD]
    messages = [replace(message, folder=INBOX) for message in corpus(60, 2, seed=3, median_bytes=1000)]
    large = messages[0].content + b"x" * 600_000 + b"\r\n"
    return [*odd, *messages, replace(one, folder=INBOX, content=large)]


def contents(user: User) -> Counter[bytes]:
    """The canonical digests of the messages in INBOX."""
    client = connect(user.account.endpoint, user.account.login, user.password, user.ca_file)
    client.select("INBOX", readonly=True)
    answer = client.fetch("1:*", "(BODY.PEEK[])")[1]
    client.logout()
    return Counter(canonical_digest(part[1]) for part in answer if isinstance(part, tuple))


@pytest.mark.parametrize("change", CHANGES)
def test_half_of_the_mail_is_there_as_another_program_left_it(
    tmp_path: Path, old_host: Dovecot, destination: Dovecot, make_user: MakeUser, change: str
) -> None:
    installation = Installation(tmp_path, {"CA_FILE": str(destination.ca_file)})
    old, new = make_user(old_host), make_user(destination)
    messages = mailbox(change)
    old.fill(messages)
    there = messages[::2]
    new.fill(replace(message, content=CHANGES[change](message.content)) for message in there)
    expected = contents(old)
    words = installation.copy_words(old, new)

    forecast = installation.json("check", *words[1:])
    assert abs(forecast["to_copy"]["messages"] - (expected.total() - len(there))) <= len(ODD)
    copied = installation.json(*words)["totals"]
    assert contents(new) == Counter(expected.keys())
    assert copied["copied"] + copied["duplicate"] == expected.total() - copied["already_there"]
    assert copied["already_there"] == len(there)
    if destination.options.mail_driver != "mbox":  # it adds line ends by itself
        assert (copied["recognised"] == 0) == (change == "nothing")
    again = installation.json(*words)["totals"]
    assert (again["copied"], again["already_there"]) == (0, again["found"] - again["duplicate"])
    report = installation.run("report", installation.json("list")[0]["id"]).stdout
    assert ("changed by another program" in " ".join(report.split())) == (again["recognised"] > 0)
