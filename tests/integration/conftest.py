"""The authority of tests that sign in, and a mail host that takes the tokens it gives out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rehearsal.authority import Authority, authority
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.dovecot import Dovecot, DovecotOptions, dovecot


@pytest.fixture(scope="module")
def running_authority(ca: CertificateAuthority) -> Iterator[Authority]:
    """One for a module: what a test changes at it stays. See `host`."""
    with authority(ca) as server:
        yield server


@pytest.fixture
def host(running_authority: Authority) -> Authority:
    """The module's authority as it was at first, but for what was registered and given."""
    running_authority.as_new()
    return running_authority


@pytest.fixture(scope="module")
def mail_host(
    running_authority: Authority, tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority
) -> Iterator[Dovecot]:
    """Asks the module's authority about each token."""
    options = DovecotOptions(introspection_url=running_authority.introspection_url)
    with dovecot(tmp_path_factory.mktemp("token-host"), options, ca=ca) as server:
        yield server
