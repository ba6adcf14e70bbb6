"""A mail host for a rehearsal and its users. The host is Dovecot if it is installed, else pymap."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from importer.domain.model import Account
from providers.endpoint import Endpoint
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.dovecot import DovecotOptions, dovecot, dovecot_installed
from tests.rehearsal.fill import FolderPath, Stored, fill
from tests.rehearsal.pymap import pymap_server
from tests.rehearsal.snapshot import Mailbox, read_mailbox


class RehearsalHost(Protocol):
    """The common interface of Dovecot, Cyrus, Courier, mailutils and pymap."""

    imaps: Endpoint
    starttls: Endpoint
    ca_file: Path

    def add_user(self, name: str, password: str) -> None: ...

    def account(self, name: str) -> Account: ...

    def stop(self) -> None: ...

    def kill(self) -> None: ...


@contextmanager
def rehearsal_host(
    root: Path, options: DovecotOptions | None = None, *, ca: CertificateAuthority | None = None
) -> Iterator[RehearsalHost]:
    """Run a host. `options` apply to Dovecot only."""
    if dovecot_installed():
        with dovecot(root, options, ca=ca) as real:
            yield real
    else:
        with pymap_server(root, ca) as small:
            yield small


@dataclass(frozen=True, slots=True)
class User:
    """One mailbox on a rehearsal host, with its credentials."""

    account: Account
    password: str = field(repr=False)
    ca_file: Path

    def fill(self, messages: Iterable[Stored], folders: Iterable[FolderPath] = ()) -> int:
        """Append `messages`; see `fill.fill`."""
        account = self.account
        return fill(
            account.endpoint, account.login, self.password, messages, ca_file=self.ca_file, folders=folders
        )

    def read(self) -> Mailbox:
        """The whole mailbox as read by the independent checker."""
        return read_mailbox(self.account, self.password, self.ca_file)


def new_user(host: RehearsalHost, name: str, password: str | None = None) -> User:
    """Add a user to a running host. The default password is random."""
    password = password or secrets.token_urlsafe(12)
    host.add_user(name, password)
    return User(host.account(name), password, host.ca_file)
