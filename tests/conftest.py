"""Real servers for every test, started once and only when a test asks for them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.cyrus import Cyrus, CyrusOptions, cyrus, cyrus_lacks
from tests.rehearsal.dovecot import Dovecot, DovecotOptions, dovecot
from tests.rehearsal.hosts import RehearsalHost, User, new_user
from tests.rehearsal.imitations.exchange import Exchange
from tests.rehearsal.imitations.gmail import Gmail
from tests.rehearsal.imitations.server import Imitation, imitation
from tests.rehearsal.imitations.yahoo import Yahoo
from tests.rehearsal.postgres import postgres
from tests.rehearsal.pymap import Pymap, pymap_server
from tests.rehearsal.smtp import SmtpCatcher, smtp_catcher
from tests.rehearsal.valkey import Valkey, valkey

MakeUser = Callable[[RehearsalHost], User]
_numbers = itertools.count(1)

pytest_plugins = ("tests.sampling", "tests.sharing")


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    """The authority that every rehearsal server's certificate comes from."""
    return CertificateAuthority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def old_host(tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority) -> Iterator[Dovecot]:
    """A Dovecot as many hosts run it: separator ".", everything below "INBOX.", no special-use folders."""
    options = DovecotOptions(separator=".", prefix="INBOX.", special_use=False)
    with dovecot(tmp_path_factory.mktemp("old-host"), options, ca=ca) as server:
        yield server


@pytest.fixture(scope="session")
def new_host(tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority) -> Iterator[Dovecot]:
    """A Dovecot as destinations are: separator "/", no prefix, Sent, Drafts, Trash, Junk and Archive made."""
    with dovecot(tmp_path_factory.mktemp("new-host"), ca=ca) as server:
        yield server


@pytest.fixture(scope="session")
def cyrus_host(tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority) -> Iterator[Cyrus]:
    """A Cyrus as it comes, except that it leaves 8-bit headers alone."""
    _skip_without_cyrus()
    with cyrus(tmp_path_factory.mktemp("cyrus"), ca=ca) as server:
        yield server


@pytest.fixture(scope="session")
def old_cyrus_host(tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority) -> Iterator[Cyrus]:
    """A Cyrus as it was before 3.0: separator ".", everything below "INBOX.", 8-bit headers munged."""
    _skip_without_cyrus()
    options = CyrusOptions(separator=".", prefix="INBOX.", special_use=False, munges_8bit=True)
    with cyrus(tmp_path_factory.mktemp("old-cyrus"), options, ca=ca) as server:
        yield server


def _skip_without_cyrus() -> None:
    if lacks := cyrus_lacks():
        pytest.skip(lacks)


@pytest.fixture(scope="session")
def small_host(tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority) -> Iterator[Pymap]:
    """A pymap: another implementation, which keeps the zone of every date."""
    with pymap_server(tmp_path_factory.mktemp("small-host"), ca) as server:
        yield server


@pytest.fixture(scope="session")
def gmail_host(tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority) -> Iterator[Imitation]:
    """A server that speaks like Gmail."""
    with imitation(Gmail(), tmp_path_factory.mktemp("gmail"), ca) as server:
        yield server


@pytest.fixture(scope="session")
def exchange_host(tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority) -> Iterator[Imitation]:
    """A server that speaks like Exchange Online."""
    with imitation(Exchange(), tmp_path_factory.mktemp("exchange"), ca) as server:
        yield server


@pytest.fixture(scope="session")
def yahoo_host(tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority) -> Iterator[Imitation]:
    """A server that speaks like Yahoo; ten messages are the most that one command may touch."""
    with imitation(Yahoo(message_limit=10), tmp_path_factory.mktemp("yahoo"), ca) as server:
        yield server


@pytest.fixture(scope="session")
def make_user() -> MakeUser:
    """Adds a fresh user with an empty mailbox to a host; each call another one."""

    def make(host: RehearsalHost) -> User:
        return new_user(host, f"ada{next(_numbers)}@mail.example")

    return make


@pytest.fixture(scope="session")
def _valkey_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def valkey_server(_valkey_of_the_session: Valkey) -> Valkey:
    """An empty Valkey. A test that pauses or kills it has to bring it back."""
    _valkey_of_the_session.flush()
    return _valkey_of_the_session


@pytest.fixture
def valkey_url(valkey_server: Valkey) -> str:
    """What MAILHAUL_REDIS_URL takes."""
    return valkey_server.url


@pytest.fixture
def smtp() -> Iterator[SmtpCatcher]:
    """An SMTP server that keeps what it gets."""
    with smtp_catcher() as catcher:
        yield catcher


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server; take a `fresh_database` of it."""
    with postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url
