"""A small IMAP server in Python, for machines without Dovecot. It needs no installation and no root.

Its mail is in memory and lost when it ends. It offers MULTIAPPEND, LITERAL+, UIDPLUS, MOVE, APPENDLIMIT and
IDLE, but no SPECIAL-USE, NAMESPACE, CONDSTORE, COMPRESS or QUOTA. The separator is "/" and the only folder
of a new user is INBOX. Flags, keywords, dates and messages are stored unchanged, but it omits the last
character of a header without its end. LOGIN accepts ASCII passwords only.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from importer.domain.model import Account
from providers.endpoint import Endpoint, Security
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.ports import RehearsalError, free_ports, wait_until
from tests.rehearsal.processes import kill_group, start_group, stop_group

_REPOSITORY = Path(__file__).resolve().parents[2]


class Pymap:
    """A running server on localhost, with the interface of `Dovecot`."""

    def __init__(self, home: Path, ca: CertificateAuthority) -> None:
        self.ca_file = ca.ca_file
        self._users = home / "users"
        self._users.mkdir()
        self._log = home / "pymap.log"
        for target, issued in zip((home / "cert.pem", home / "key.pem"), ca.issue(), strict=True):
            shutil.copyfile(issued, target)
            target.chmod(0o600)
        starttls_port, tls_port = free_ports(2)
        self.imaps = Endpoint("localhost", tls_port, Security.TLS)
        self.starttls = Endpoint("localhost", starttls_port, Security.STARTTLS)
        module = "tests.rehearsal.pymap_main"
        self._process = start_group(
            [sys.executable, "-m", module, str(home), str(starttls_port), str(tls_port)],
            self._log,
            folder=_REPOSITORY,
        )
        wait_until(lambda: self._process.poll() is not None or self.log().startswith("ready"))
        if not self.log().startswith("ready"):
            kill_group(self._process)
            raise RehearsalError(f"pymap did not start:\n{self.log()}")

    def add_user(self, name: str, password: str) -> None:
        """Add the user with an empty INBOX, or change the password. Takes effect immediately."""
        if not name or name.startswith(".") or any(c in name for c in "/\0\r\n"):
            raise ValueError(f"“{name}” cannot be a user of the rehearsal server")
        new = self._users / ".new"
        new.touch(mode=0o600)
        new.write_text(password, encoding="utf-8")
        new.replace(self._users / name)

    def account(self, name: str) -> Account:
        """The user's account over implicit TLS."""
        return Account(name if "@" in name else f"{name}@localhost", name, self.imaps)

    def log(self) -> str:
        """The output of the server so far."""
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""

    def stop(self) -> None:
        """Stop the server. Its mail is lost."""
        stop_group(self._process)

    def kill(self) -> None:
        """Kill the server with SIGKILL. Its mail is lost."""
        kill_group(self._process)


@contextmanager
def pymap_server(root: Path, ca: CertificateAuthority | None = None) -> Iterator[Pymap]:
    """Run a pymap. It is stopped at exit; its log remains as `pymap.log` in `root`.

    Without `ca`, a new authority is created in `root`. Raises RehearsalError if it cannot start.
    """
    root.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="mailhaul-pymap-"))
    try:
        server = Pymap(home, ca or CertificateAuthority(root / "ca"))
        try:
            yield server
        finally:
            server.kill()
            (root / "pymap.log").write_text(server.log(), encoding="utf-8")
    finally:
        shutil.rmtree(home, ignore_errors=True)
