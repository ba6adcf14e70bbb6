"""An authorisation server for tests that sign in, and a mail host that accepts its tokens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rehearsal.authority import Authority, authority
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.dovecot import Dovecot, DovecotOptions, dovecot


@pytest.fixture(scope="module")
def running_authority(ca: CertificateAuthority) -> Iterator[Authority]:
    """One authority per module. Changes that a test makes persist; see `host`."""
    with authority(ca) as server:
        yield server


@pytest.fixture
def host(running_authority: Authority) -> Authority:
    """The module's authority, reset except for its registered clients and issued tokens."""
    running_authority.as_new()
    return running_authority


@pytest.fixture(scope="module")
def mail_host(
    running_authority: Authority, tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority
) -> Iterator[Dovecot]:
    """A mail host that introspects each token at the module's authority."""
    options = DovecotOptions(introspection_url=running_authority.introspection_url)
    with dovecot(tmp_path_factory.mktemp("token-host"), options, ca=ca) as server:
        yield server
