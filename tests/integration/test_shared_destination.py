"""Several old mailboxes with the same content go into one folder, which is renumbered meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from importer.domain.model import State
from importer.engine.leg_context import TransferLimits
from tests.conftest import MakeUser
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.copier import copier
from tests.rehearsal.dovecot import Dovecot, DovecotOptions, dovecot
from tests.rehearsal.fault_proxy import Fault, fault_proxy
from tests.rehearsal.fill import INBOX, Stored

UIDVALIDITIES = count(2_000_000_000)
SHARED = range(12)


def mail(number: int) -> Stored:
    text = f"From: ada@old.example\r\nMessage-ID: <{number}@old.example>\r\n\r\nThis is {number}.\r\n"
    return Stored(INBOX, (), datetime(2020, 1, 1, 12, number % 60, tzinfo=UTC), text.encode())


@pytest.fixture(params=["maildir", "mdbox"])
def host(request: pytest.FixtureRequest, tmp_path: Path, ca: CertificateAuthority) -> Iterator[Dovecot]:
    options = DovecotOptions(mail_driver=request.param)
    with dovecot(tmp_path / "host", options, ca=ca) as server:
        yield server


def test_the_same_content_is_stored_once_while_the_folder_is_renumbered(
    tmp_path: Path, host: Dovecot, old_host: Dovecot, make_user: MakeUser
) -> None:
    new = make_user(host)
    olds = [make_user(old_host) for _ in range(3)]
    for number, old in enumerate(olds):
        old.fill(mail(n) for n in (*SHARED, *(100 * (number + 1) + n for n in range(4))))

    def renumber() -> None:
        value = str(next(UIDVALIDITIES))
        host.doveadm("mailbox", "update", "-u", new.account.login, "--uid-validity", value, "INBOX")

    with copier(tmp_path, host.ca_file) as importer:
        for old in (*olds, *olds):
            faults = [Fault("act", "server", 0, renumber)]
            with fault_proxy(host.starttls, trigger=b"This is", faults=faults) as proxy:
                ended = importer.copy(
                    old,
                    new,
                    destination=proxy.endpoint,
                    settle=proxy.settle,
                    pace=TransferLimits(batch_messages=5),
                )
                proxy.settle()
            assert ended.state is State.COMPLETE
            renumber()
    digests = [message.digest for message in new.read().folders[INBOX]]
    assert len(digests) == len(set(digests)) == len(SHARED) + 3 * 4
