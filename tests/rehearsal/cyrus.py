"""A real Cyrus IMAP 3, started as an ordinary user with its own directories.

Debian's packages of Cyrus and Dovecot conflict, so `.ci/debian-packages` unpacks Cyrus and installs only its
libraries. A regularly installed Cyrus is used too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from importer.domain.model import Account
from providers.endpoint import Endpoint, Security
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.cyrus_config import write_config
from tests.rehearsal.ports import RehearsalError, free_ports, home_folder, listens, wait_until
from tests.rehearsal.processes import kill_group, start_group
from tests.rehearsal.restartable import Restartable
from tests.rehearsal.unpacked import UNPACKED, as_server_user, lacks_programs, server_user, with_libraries


@dataclass(frozen=True)
class CyrusOptions:
    """Differences from a default server.

    With `separator` "." the `prefix` is "INBOX.", as before Cyrus 3.0. `quota_kib` is each user's limit.
    `special_use`: Sent, Drafts, Trash, Junk and Archive exist, subscribed, with their RFC 6154 attributes.
    `munges_8bit`: 8-bit characters in headers become X, the default of Cyrus.
    """

    separator: str = "/"
    prefix: str = ""
    quota_kib: int | None = None
    special_use: bool = True
    munges_8bit: bool = False


def cyrus_lacks() -> str:
    """The reason why Cyrus cannot be started on this machine, or "" if it can."""
    programs = (_programs() / "master", _programs() / "imapd", _saslpasswd())
    return lacks_programs("Cyrus IMAP", "cyrus", programs)


def _programs() -> Path:
    installed = Path("/usr/lib/cyrus/bin")
    return installed if (installed / "imapd").exists() else UNPACKED / "cyrus/usr/lib/cyrus/bin"


def _saslpasswd() -> Path:
    installed = Path("/usr/sbin/saslpasswd2")
    return installed if installed.exists() else UNPACKED / "cyrus/usr/sbin/saslpasswd2"


class Cyrus(Restartable):
    """A running server on localhost, with the interface of `Dovecot`."""

    def __init__(self, home: Path, options: CyrusOptions, ca: CertificateAuthority) -> None:
        self.home = home
        self.options = options
        self.ca_file = ca.ca_file
        self._log = home / "cyrus.log"
        tls_port, starttls_port = free_ports(2)
        self.imaps = Endpoint("localhost", tls_port, Security.TLS)
        self.starttls = Endpoint("localhost", starttls_port, Security.STARTTLS)
        for target, issued in zip((home / "cert.pem", home / "key.pem"), ca.issue(), strict=True):
            shutil.copyfile(issued, target)
            target.chmod(0o600)
        for name in ("config", "config/proc", "config/socket", "config/lock", "mail", "users"):
            (home / name).mkdir(parents=True)
        write_config(home, options, _programs(), tls_port, starttls_port)
        if os.geteuid() == 0:
            for path in (home, *home.rglob("*")):
                shutil.chown(path, server_user())
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        home = self.home
        master = [str(_programs() / "master"), "-C", f"{home}/imapd.conf", "-M", f"{home}/cyrus.conf"]
        process = start_group(
            [*as_server_user(), *master, "-p", f"{home}/master.pid", "-D"],
            self._log,
            environment=with_libraries("cyrus"),
        )
        ports = self.imaps.port, self.starttls.port
        wait_until(lambda: process.poll() is not None or all(listens(port) for port in ports))
        if process.poll() is not None or not all(listens(port) for port in ports):
            kill_group(process)
            raise RehearsalError(f"Cyrus did not start:\n{self.log()}")
        return process

    def add_user(self, name: str, password: str) -> None:
        """Add the user with an empty mailbox, or change the password. Takes effect immediately."""
        user, _, domain = name.partition("@")
        if not user or any(c in name for c in ':/\0\r\n "') or name != name.lower():
            raise ValueError(f"“{name}” cannot be a user of the rehearsal server: lower case, no : or /")
        words = ["-p", "-c", "-f", f"{self.home}/users/sasldb", "-u", domain or "localhost", user]
        result = subprocess.run(
            [*as_server_user(), str(_saslpasswd()), *words],
            input=password.encode(),
            env=with_libraries("cyrus"),
            capture_output=True,
            check=False,
        )
        if result.returncode != 0:
            raise RehearsalError(f"saslpasswd2: {result.stderr.decode(errors='replace').strip()}")

    def account(self, name: str) -> Account:
        """The user's account over implicit TLS."""
        return Account(name if "@" in name else f"{name}@localhost", name, self.imaps)

    def log(self) -> str:
        """The output of the server so far. Its syslog messages are discarded."""
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""


@contextmanager
def cyrus(
    root: Path, options: CyrusOptions | None = None, *, ca: CertificateAuthority | None = None
) -> Iterator[Cyrus]:
    """Run a Cyrus. At exit it is stopped and its mail removed; its output remains as `cyrus.log` in `root`.

    Without `ca`, a new authority is created in `root`. Raises RehearsalError if it cannot start.
    """
    lacks = cyrus_lacks()
    if lacks:
        raise RehearsalError(lacks)
    root.mkdir(parents=True, exist_ok=True)
    authority = ca or CertificateAuthority(root / "ca")
    home = home_folder("mailhaul-cyrus-")
    try:
        home.chmod(0o755)
        server = Cyrus(home, options or CyrusOptions(), authority)
        try:
            yield server
        finally:
            server.kill()
            (root / "cyrus.log").write_text(server.log(), encoding="utf-8")
    finally:
        shutil.rmtree(home, ignore_errors=True)
