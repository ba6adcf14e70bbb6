"""Changes by other clients to both mailboxes during a copy, and refusals in the middle of a batch.

On real servers: a proxy holds the copy at a chosen byte while another client acts. The independent checker
compares the results.
"""

from __future__ import annotations

import imaplib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from importer.domain.model import Import, State
from importer.engine.leg_context import TransferLimits
from tests.conftest import MakeUser
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.checker import Mailbox, compare
from tests.rehearsal.copier import Copier, copier
from tests.rehearsal.cyrus import Cyrus, CyrusOptions, cyrus, cyrus_lacks
from tests.rehearsal.dovecot import Dovecot, DovecotOptions, dovecot
from tests.rehearsal.fault_proxy import Fault, Shape, fault_proxy
from tests.rehearsal.fill import INBOX, FolderPath, Stored, connect, naming_of
from tests.rehearsal.hosts import RehearsalHost, User

BOX: FolderPath = ("Box",)
PACE = TransferLimits(batch_messages=4)
SHAPES = {
    "multiappend": Shape(),
    "pipelined": Shape(("MULTIAPPEND",)),
    "synchronising": Shape(("MULTIAPPEND", "LITERAL+", "UIDPLUS")),
}
BOTH = pytest.mark.parametrize("to", ["new_host", "cyrus_host"])
IN_EACH_SHAPE = pytest.mark.parametrize("shape", SHAPES)


def mail(number: int, size_bytes: int = 100, folder: FolderPath = BOX) -> Stored:
    head = b"Message-ID: <%d@old.example>\r\nSubject: number %d.\r\n\r\n" % (number, number)
    return Stored(folder, (), datetime(2020, 1, 1, tzinfo=UTC), head + b"x" * size_bytes + b"\r\n")


MAIL = [mail(number) for number in range(1, 13)]  # three batches


@pytest.fixture(scope="module")
def own_copier(tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority) -> Iterator[Copier]:
    with copier(tmp_path_factory.mktemp("copier"), ca.ca_file) as made:
        yield made


@pytest.fixture
def old(old_host: Dovecot, make_user: MakeUser) -> User:
    user = make_user(old_host)
    user.fill(MAIL)
    return user


def run(
    own_copier: Copier, old: User, new: User, host: RehearsalHost, when: bytes, act: Callable[[], object]
) -> Import:
    """Run a copy that calls `act` before the destination receives the command or literal with `when`."""
    with fault_proxy(host.starttls, trigger=when, faults=[Fault("act", "server", 0, act)]) as proxy:
        ended = own_copier.copy(old, new, destination=proxy.endpoint, settle=proxy.settle, pace=PACE)
        proxy.settle()
    assert proxy.fired
    return ended


def owner(user: User) -> imaplib.IMAP4:
    """A connection of the owner's other mail client."""
    return connect(user.account.endpoint, user.account.login, user.password, user.ca_file)


def expunge(user: User, folder: FolderPath, subjects: str) -> None:
    client = owner(user)
    client.select(naming_of(client).wire_name(folder))
    uids = client.uid("SEARCH", "SUBJECT", f'"{subjects}"')[1][0].decode().replace(" ", ",")
    client.uid("STORE", uids, "+FLAGS", "(\\Deleted)")
    client.expunge()
    client.logout()


def remove(user: User, folder: FolderPath) -> None:
    client = owner(user)
    assert client.delete(naming_of(client).wire_name(folder))[0] == "OK"
    client.logout()


def digests(mailbox: Mailbox) -> Counter[str]:
    return Counter(message.digest for messages in mailbox.folders.values() for message in messages)


# --- At the source ----------------------------------------------------------------------------------------


@BOTH
def test_mail_that_arrives_during_the_copy_is_copied_too(
    own_copier: Copier, old: User, make_user: MakeUser, request: pytest.FixtureRequest, to: str
) -> None:
    host = request.getfixturevalue(to)
    new = make_user(host)
    ended = run(own_copier, old, new, host, b"number 6.", lambda: old.fill([mail(98), mail(99)]))
    assert ended.state is State.COMPLETE
    assert compare(old.read(), new.read(), zones=False) == []


@pytest.mark.parametrize("origin", ["old_host", "cyrus_host"])
def test_mail_removed_during_the_copy_is_not_duplicated_and_the_rest_arrives(
    own_copier: Copier, new_host: Dovecot, make_user: MakeUser, request: pytest.FixtureRequest, origin: str
) -> None:
    old, new = make_user(request.getfixturevalue(origin)), make_user(new_host)
    old.fill(MAIL)
    before = digests(old.read())
    ended = run(own_copier, old, new, new_host, b"number 2.", lambda: expunge(old, BOX, "number 1"))
    after, copied = digests(old.read()), digests(new.read())
    assert len(before) - len(after) == 4  # 1, 10, 11 and 12
    assert after <= copied <= before
    assert ended.state is State.COMPLETE


def test_a_source_folder_renumbered_during_the_copy_is_copied_once(
    own_copier: Copier, old_host: Dovecot, new_host: Dovecot, old: User, make_user: MakeUser
) -> None:
    new = make_user(new_host)
    login = old.account.login

    def renumber() -> None:
        old_host.doveadm("mailbox", "update", "-u", login, "--uid-validity", "77777", "INBOX.Box")

    ended = run(own_copier, old, new, new_host, b"number 6.", renumber)
    assert ended.state is State.COMPLETE
    assert compare(old.read(), new.read(), zones=False) == []


# --- At the destination -----------------------------------------------------------------------------------


def test_a_destination_folder_renumbered_during_the_copy_gets_no_duplicates(
    own_copier: Copier, new_host: Dovecot, old: User, make_user: MakeUser
) -> None:
    new = make_user(new_host)
    login = new.account.login

    def renumber() -> None:
        new_host.doveadm("mailbox", "update", "-u", login, "--uid-validity", "77777", "Box")

    ended = run(own_copier, old, new, new_host, b"number 6.", renumber)
    assert ended.state is State.COMPLETE
    assert compare(old.read(), new.read(), zones=False) == []


@BOTH
def test_a_destination_folder_removed_during_the_copy_gets_no_duplicates(
    own_copier: Copier, old: User, make_user: MakeUser, request: pytest.FixtureRequest, to: str
) -> None:
    host = request.getfixturevalue(to)
    new = make_user(host)
    act = partial(remove, new, BOX)
    with fault_proxy(host.starttls, trigger=b"number 6.", faults=[Fault("act", "server", 0, act)]) as proxy:
        ended = own_copier.copy(old, new, destination=proxy.endpoint, settle=proxy.settle, pace=PACE)
        # The remaining mail is refused or, if the server fails in the middle of it, goes into a new folder.
        # The four messages that the owner removed with the folder are not there any more, and the report says
        # so.
        if ended.state is State.INCOMPLETE:
            totals = own_copier.report(ended).totals
            assert totals.failed == 8 or (totals.copied, totals.unconfirmed) == (12, 4)
        # Mail that went into the folder before its owner removed it does not come back.
        assert own_copier.copy(old, new, destination=proxy.endpoint).state is State.COMPLETE
    subjects = [message.subject for message in new.read().folders[BOX]]
    assert sorted(subjects) == sorted(f"number {number}." for number in range(5, 13))


@BOTH
def test_a_destination_folder_recreated_during_the_copy_gets_all_mail(
    own_copier: Copier, old: User, make_user: MakeUser, request: pytest.FixtureRequest, to: str
) -> None:
    host = request.getfixturevalue(to)
    new = make_user(host)

    def recreate() -> None:
        remove(new, BOX)
        client = owner(new)
        assert client.create("Box")[0] == "OK"
        client.logout()

    ended = run(own_copier, old, new, host, b"number 6.", recreate)
    assert ended.state is State.COMPLETE
    assert compare(old.read(), new.read(), zones=False) == []


# --- Refused in the middle of a batch -----------------------------------------------------------------------


@IN_EACH_SHAPE
def test_a_message_refused_by_dovecot_does_not_block_the_others(
    own_copier: Copier, tmp_path: Path, ca: CertificateAuthority, old: User, make_user: MakeUser, shape: str
) -> None:
    old.fill([mail(13), mail(14, 50_000), mail(15)])
    with dovecot(tmp_path, DovecotOptions(quota_bytes=1_000_000, max_mail_bytes=40_000), ca=ca) as host:
        _all_but_one_arrive(own_copier, old, make_user(host), host, SHAPES[shape])


@IN_EACH_SHAPE
def test_a_message_refused_by_cyrus_does_not_block_the_others(
    own_copier: Copier, cyrus_host: Cyrus, old: User, make_user: MakeUser, shape: str
) -> None:
    broken = b"Subject: x\r\nno header line\r\n\r\n" + b"x" * 50_000
    old.fill([mail(13), Stored(BOX, (), datetime(2020, 1, 1, tzinfo=UTC), broken), mail(15)])
    _all_but_one_arrive(own_copier, old, make_user(cyrus_host), cyrus_host, SHAPES[shape])


def _all_but_one_arrive(own_copier: Copier, old: User, new: User, host: RehearsalHost, shape: Shape) -> None:
    with fault_proxy(host.starttls, shape) as proxy:
        ended = own_copier.copy(old, new, destination=proxy.endpoint, pace=PACE)
    assert ended.state is State.INCOMPLETE
    (lost,) = compare(old.read(), new.read(), zones=False)
    assert lost.startswith("lost: Box:")
    totals = own_copier.report(ended).totals
    assert (totals.found, totals.copied, totals.failed) == (15, 14, 1)


@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("kind", ["dovecot", "cyrus"])
@IN_EACH_SHAPE
def test_a_copy_into_a_full_mailbox_resumes_once_there_is_room(
    own_copier: Copier,
    tmp_path: Path,
    ca: CertificateAuthority,
    old_host: Dovecot,
    make_user: MakeUser,
    kind: str,
    shape: str,
    lanes: int,
) -> None:
    pace = replace(PACE, lanes=lanes)
    if kind == "cyrus" and (lacks := cyrus_lacks()):
        pytest.skip(lacks)
    old = make_user(old_host)
    old.fill([mail(number, 4_000) for number in range(1, 13)])
    made = (
        dovecot(tmp_path, DovecotOptions(quota_bytes=50_000), ca=ca)
        if kind == "dovecot"
        else cyrus(tmp_path, CyrusOptions(quota_kib=50), ca=ca)
    )
    with made as host:
        new = make_user(host)
        new.fill([mail(number, 8_000, INBOX) for number in range(90, 93)])
        with fault_proxy(host.starttls, SHAPES[shape]) as proxy:
            ended = own_copier.copy(old, new, destination=proxy.endpoint, pace=pace, runs=1)
            assert ended.state is State.STOPPED
            assert ended.problem is not None
            assert ended.problem.code == "destination_full"
            stored = digests(new.read())
            assert 3 < stored.total() < 15
            assert max(stored.values()) == 1
            expunge(new, INBOX, "number 9")
            ended = own_copier.copy(old, new, destination=proxy.endpoint, pace=pace)
        assert ended.state is State.COMPLETE
        assert compare(old.read(), new.read(), zones=False, subscriptions=False) == []
