"""The report's numbers about a real new mailbox are read from that mailbox."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from importer.domain.model import State
from tests.conftest import MakeUser
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.copier import Copier, copier
from tests.rehearsal.corpus import corpus
from tests.rehearsal.dovecot import Dovecot, DovecotOptions, dovecot
from tests.rehearsal.fill import INBOX, connect
from tests.rehearsal.hosts import User

MESSAGES = 10


@pytest.fixture(scope="module", params=["UIDPLUS", "no UIDPLUS"])
def destination(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority
) -> Iterator[Dovecot]:
    hidden = ("UIDPLUS",) if request.param == "no UIDPLUS" else ()
    with dovecot(
        tmp_path_factory.mktemp("destination"), DovecotOptions(capability_minus=hidden), ca=ca
    ) as server:
        yield server


@pytest.fixture
def copies(tmp_path: Path, ca: CertificateAuthority) -> Iterator[Copier]:
    with copier(tmp_path, ca.ca_file) as it:
        yield it


def delete(user: User, folder: str, sequence: str) -> None:
    client = connect(user.account.endpoint, user.account.login, user.password, user.ca_file)
    client.select(folder)
    client.store(sequence, "+FLAGS", "\\Deleted")
    client.expunge()
    client.logout()


def test_deleted_mail_and_a_removed_folder_are_told_and_stay_away(
    copies: Copier, old_host: Dovecot, destination: Dovecot, make_user: MakeUser
) -> None:
    old, new = make_user(old_host), make_user(destination)
    inbox = [replace(message, folder=INBOX) for message in corpus(MESSAGES, seed=4, median_bytes=1000)]
    old.fill([*inbox, *(replace(message, folder=("Work",)) for message in inbox)])
    first = copies.report(copies.copy(old, new)).totals
    total = first.found
    assert (first.confirmed, first.gone) == (first.copied, 0)
    delete(new, "INBOX", "1:3")
    for _ in range(2):
        report = copies.report(copies.copy(old, new))
        assert report.import_.state is State.COMPLETE
        assert (report.totals.copied, report.totals.gone, report.adds_up) == (0, 3, True)
        assert report.totals.in_destination == total - 3
    client = connect(new.account.endpoint, new.account.login, new.password, new.ca_file)
    client.delete("Work")
    client.logout()
    report = copies.report(copies.copy(old, new))
    work = next(tally for tally in report.tallies if tally.destination_folder == "Work")
    assert (work.found, work.gone, work.present) == (work.found, work.found, 0)
    assert report.totals.gone == 3 + work.found
