"""Session-scoped fixtures for real servers. Each server is started once, when the first test requests it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from importer.adapters.imap.login_limiter import LoginLimiter
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.courier import Courier, courier, courier_lacks
from tests.rehearsal.cyrus import Cyrus, CyrusOptions, cyrus, cyrus_lacks
from tests.rehearsal.dovecot import Dovecot, DovecotOptions, dovecot
from tests.rehearsal.hosts import RehearsalHost, User, new_user
from tests.rehearsal.imitations.exchange import Exchange
from tests.rehearsal.imitations.gmail import Gmail
from tests.rehearsal.imitations.server import Imitation, imitation
from tests.rehearsal.imitations.yahoo import Yahoo
from tests.rehearsal.installation import Installation
from tests.rehearsal.mailutils import Mailutils, MailutilsOptions, mailutils, mailutils_lacks
from tests.rehearsal.postgres import postgres
from tests.rehearsal.pymap import Pymap, pymap_server
from tests.rehearsal.smtp import SmtpCatcher, smtp_catcher
from tests.rehearsal.valkey import Valkey, valkey

MakeUser = Callable[[RehearsalHost], User]
_numbers = itertools.count(1)

os.environ["LC_ALL"] = "C.UTF-8"  # the console speaks the language of the shell

pytest_plugins = ("tests.sampling", "tests.sharing")


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    """The authority that issues the certificate of every rehearsal server."""
    return CertificateAuthority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def old_host(tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority) -> Iterator[Dovecot]:
    """A Dovecot with a common setup: separator ".", everything below "INBOX.", no special-use folders."""
    options = DovecotOptions(separator=".", prefix="INBOX.", special_use=False)
    with dovecot(tmp_path_factory.mktemp("old-host"), options, ca=ca) as server:
        yield server


@pytest.fixture(scope="session")
def new_host(tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority) -> Iterator[Dovecot]:
    """A typical destination Dovecot: separator "/", no prefix, with Sent, Drafts, Trash, Junk and Archive."""
    with dovecot(tmp_path_factory.mktemp("new-host"), ca=ca) as server:
        yield server


@pytest.fixture(scope="session")
def cyrus_host(tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority) -> Iterator[Cyrus]:
    """A Cyrus with its default configuration, except that it does not munge 8-bit headers."""
    _skip_if(cyrus_lacks())
    with cyrus(tmp_path_factory.mktemp("cyrus"), ca=ca) as server:
        yield server


@pytest.fixture(scope="session")
def old_cyrus_host(tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority) -> Iterator[Cyrus]:
    """A Cyrus configured as before 3.0: separator ".", everything below "INBOX.", 8-bit headers munged."""
    _skip_if(cyrus_lacks())
    options = CyrusOptions(separator=".", prefix="INBOX.", special_use=False, munges_8bit=True)
    with cyrus(tmp_path_factory.mktemp("old-cyrus"), options, ca=ca) as server:
        yield server


@pytest.fixture(scope="session")
def courier_host(tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority) -> Iterator[Courier]:
    """A Courier with the configuration of Debian."""
    _skip_if(courier_lacks())
    with courier(tmp_path_factory.mktemp("courier"), ca=ca) as server:
        yield server


@pytest.fixture(scope="session")
def mailutils_host(tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority) -> Iterator[Mailutils]:
    """The imap4d of GNU mailutils with mbox files, its default."""
    _skip_if(mailutils_lacks())
    with mailutils(tmp_path_factory.mktemp("mailutils"), ca=ca) as server:
        yield server


@pytest.fixture(scope="session")
def maildir_mailutils_host(
    tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority
) -> Iterator[Mailutils]:
    """The imap4d of GNU mailutils with maildirs."""
    _skip_if(mailutils_lacks())
    options = MailutilsOptions(mailbox_type="maildir")
    with mailutils(tmp_path_factory.mktemp("maildir-mailutils"), options, ca=ca) as server:
        yield server


def _skip_if(lacks: str) -> None:
    if lacks:
        pytest.skip(lacks)


@pytest.fixture(scope="session")
def small_host(tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority) -> Iterator[Pymap]:
    """A pymap, a third server implementation. It keeps the time zone of every date."""
    with pymap_server(tmp_path_factory.mktemp("small-host"), ca) as server:
        yield server


@pytest.fixture(scope="session")
def gmail_host(tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority) -> Iterator[Imitation]:
    """A server that imitates Gmail."""
    with imitation(Gmail(), tmp_path_factory.mktemp("gmail"), ca) as server:
        yield server


@pytest.fixture(scope="session")
def exchange_host(tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority) -> Iterator[Imitation]:
    """A server that imitates Exchange Online."""
    with imitation(Exchange(), tmp_path_factory.mktemp("exchange"), ca) as server:
        yield server


@pytest.fixture(scope="session")
def yahoo_host(tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority) -> Iterator[Imitation]:
    """A server that imitates Yahoo. One command may touch at most ten messages."""
    with imitation(Yahoo(message_limit=10), tmp_path_factory.mktemp("yahoo"), ca) as server:
        yield server


@pytest.fixture(scope="session")
def make_user() -> MakeUser:
    """Add a new user with an empty mailbox to a host. Every call adds another user."""

    def make(host: RehearsalHost) -> User:
        return new_user(host, f"ada{next(_numbers)}@mail.example")

    return make


@pytest.fixture(scope="session")
def _session_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def valkey_server(_session_valkey: Valkey) -> Valkey:
    """An empty Valkey. A test that pauses or kills it must resume or restart it."""
    _session_valkey.flush()
    return _session_valkey


@pytest.fixture
def valkey_url(valkey_server: Valkey) -> str:
    """The value for MAILHAUL_REDIS_URL."""
    return valkey_server.url


@pytest.fixture
def queued_installation(tmp_path: Path, new_host: Dovecot, valkey_url: str) -> Installation:
    """An installation with a queue server, whose workers look every second for what is due. Connections are
    not compressed: what a proxy lets through in a second are bytes of mail."""
    settings = {"CA_FILE": str(new_host.ca_file), "REDIS_URL": valkey_url, "TICK_SECONDS": "1"}
    return Installation(tmp_path, settings | {"COMPRESS": "off"})


@pytest.fixture
def smtp() -> Iterator[SmtpCatcher]:
    """An SMTP server that stores the mails it receives."""
    with smtp_catcher() as catcher:
        yield catcher


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL server. Use `fresh_database` to create a database on it."""
    with postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(autouse=True)
def _logins_without_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests break connections far more often than hosts do."""
    monkeypatch.setattr(LoginLimiter, "wait", lambda self, _sleep=None, *, progress=False: self.count())
