"""Whole mailboxes to and from a real Cyrus IMAP, compared by the independent checker."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from importer.domain.model import State
from tests.conftest import MakeUser
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.checker import compare
from tests.rehearsal.copier import Copier, copier
from tests.rehearsal.corpus import LANDS_IN, corpus
from tests.rehearsal.cyrus import Cyrus
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.fault_proxy import Fault, Shape, fault_proxy
from tests.rehearsal.fill import INBOX, FolderPath, Stored
from tests.rehearsal.sample import EMPTY_FOLDERS, sample_mailbox

DATE = datetime(2020, 2, 29, 12, 0, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def own_copier(tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority) -> Iterator[Copier]:
    with copier(tmp_path_factory.mktemp("copier"), ca.ca_file) as made:
        yield made


@pytest.mark.parametrize(
    ("origin", "to"),
    [
        ("old_host", "cyrus_host"),
        ("new_host", "old_cyrus_host"),
        ("cyrus_host", "new_host"),
        ("old_cyrus_host", "old_host"),
        ("old_cyrus_host", "cyrus_host"),
    ],
)
def test_a_mailbox_is_copied_completely_and_a_repeat_is_incremental(
    own_copier: Copier, origin: str, to: str, request: pytest.FixtureRequest, make_user: MakeUser
) -> None:
    old, new = (make_user(request.getfixturevalue(name)) for name in (origin, to))
    mail = [*corpus(120, folders=12, seed=3, max_bytes=60_000), *sample_mailbox()]
    munged = "old_cyrus_host" in (origin, to)
    if munged:  # Cyrus alters 8-bit characters in headers: see below
        mail = [message for message in mail if _head(message).isascii()]
    old.fill(mail, EMPTY_FOLDERS)
    assert own_copier.copy(old, new).state is State.COMPLETE
    special = {"new_host", "cyrus_host"}  # special folders of the source go into those of the destination
    lands_in: dict[FolderPath, FolderPath] = LANDS_IN if to in special and origin not in special else {}
    assert compare(old.read(), new.read(), folder_map=lands_in, zones=False) == []
    again = own_copier.copy(old, new)
    assert again.state is State.COMPLETE
    totals = own_copier.report(again).totals
    assert (totals.copied, totals.failed) == (0, 0)
    old.fill([Stored(INBOX, (), DATE, b"Subject: late\r\n\r\none more\r\n")])
    assert own_copier.report(own_copier.copy(old, new)).totals.copied == 1
    assert compare(old.read(), new.read(), folder_map=lands_in, zones=False) == []


def test_folders_whose_names_cyrus_refuses_get_names_that_it_accepts(
    own_copier: Copier, new_host: Dovecot, cyrus_host: Cyrus, make_user: MakeUser
) -> None:
    old, new = make_user(new_host), make_user(cyrus_host)
    names: dict[FolderPath, FolderPath] = {
        ("Fragen; Antworten",): ("Fragen_ Antworten",),
        ("100 %", 'ein "Zitat"', "innen"): ("100 _", "ein _Zitat_", "innen"),
        ("R&D",): ("R&D",),
        ("a_b",): ("a_b",),
        ("a|b",): ("a_b (2)",),
    }
    old.fill(
        Stored(path, (), DATE, b"Subject: %d\r\n\r\nx\r\n" % number) for number, path in enumerate(names)
    )
    for copied in (5, 0):
        ended = own_copier.copy(old, new)
        assert ended.state is State.COMPLETE
        assert own_copier.report(ended).totals.copied == copied
        assert compare(old.read(), new.read(), folder_map=names, zones=False) == []


@pytest.mark.parametrize("shape", [Shape(), Shape(("MULTIAPPEND", "UIDPLUS"))])
def test_mail_altered_by_cyrus_is_not_duplicated_after_a_lost_response_or_with_another_database(
    own_copier: Copier,
    tmp_path: Path,
    old_host: Dovecot,
    old_cyrus_host: Cyrus,
    make_user: MakeUser,
    shape: Shape,
) -> None:
    old, new = make_user(old_host), make_user(old_cyrus_host)
    head = "Message-ID: <%d@old.example>\r\nSubject: Grüße %d\r\nFrom: ada@old.example\r\n\r\n"
    old.fill(
        Stored(INBOX, (), DATE, (head % (number, number)).encode("latin-1") + b"x\r\n") for number in range(6)
    )
    lost_answer = Fault("cut", "client", 0)
    with fault_proxy(old_cyrus_host.starttls, shape, trigger=b" APPEND ", faults=[lost_answer]) as proxy:
        for _ in range(2):
            ended = own_copier.copy(old, new, destination=proxy.endpoint, settle=proxy.settle)
            assert ended.state is State.COMPLETE
            subjects = [message.subject for message in new.read().folders[INBOX]]
            assert sorted(subjects) == [f"GrXXe {number}" for number in range(6)]
    assert proxy.fired
    with copier(tmp_path, new.ca_file) as another:
        totals = another.report(another.copy(old, new)).totals
    assert (totals.present, totals.copied) == (6, 0)


@pytest.mark.parametrize("to", ["old_cyrus_host", "new_host"])
def test_what_a_server_changes_is_counted(
    own_copier: Copier, to: str, request: pytest.FixtureRequest, old_host: Dovecot, make_user: MakeUser
) -> None:
    old, new = make_user(old_host), make_user(request.getfixturevalue(to))
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    bodies = (b"Gr\xfc\xdfe\r\n\r\nx\r\n", b"end\r\n\r\nwithin a line", b"usual\r\n\r\nx\r\n")
    old.fill(Stored(INBOX, (), DATE, b"Subject: " + body) for body in bodies)
    old.fill([Stored(INBOX, (), epoch, b"Subject: epoch\r\n\r\nx\r\n")])
    ended = own_copier.copy(old, new)
    assert ended.state is State.COMPLETE
    by_server = {"header_8bit": 1} if to == "old_cyrus_host" else {}
    assert own_copier.report(ended).totals.changes == {"date_moved": 1, **by_server}
    dates = {message.subject: message.date for message in new.read().folders[INBOX]}
    assert dates["epoch"] == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


def _head(message: Stored) -> bytes:
    return message.content.split(b"\r\n\r\n", 1)[0]
