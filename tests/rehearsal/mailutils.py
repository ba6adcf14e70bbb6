"""A real imap4d of GNU mailutils, started as an ordinary user with its own directories.

`.ci/debian-packages` unpacks it beside the system's programs and installs only its libraries. The daemon, its
TLS, its LOGIN and its users (module virtdomain, a file of passwords) are its own. Differences from Debian's
setup: users are virtual rather than system users, one user owns all mail, and hosts.allow is not checked.

The separator is "/", without a prefix. There are no UIDPLUS, MULTIAPPEND, SPECIAL-USE, CONDSTORE or keywords.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from importer.domain.model import Account
from providers.endpoint import Endpoint, Security
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.ports import RehearsalError, free_ports, home_folder, listens, wait_until
from tests.rehearsal.processes import kill_group, start_group
from tests.rehearsal.restartable import Restartable
from tests.rehearsal.unpacked import UNPACKED, as_server_user, lacks_programs, server_user, with_libraries

_IMAP4D = UNPACKED / "mailutils/usr/sbin/imap4d"

_CONFIG = """\
logging {{ syslog no; }};
auth {{ authorization virtdomain; authentication generic; }};
virtdomain {{ passwd-dir {home}/passwords; }};
tcp-wrappers {{ enable no; }};
mode daemon;
foreground yes;
max-children 200;
pidfile {home}/imap4d.pid;
create-home-dir yes;
mailbox {{ mailbox-type {mailbox_type}; mailbox-pattern "{mailbox_type}:{home}/spool/${{user}}"; }};
tls {{ ssl-certificate-file {home}/cert.pem; ssl-key-file {home}/key.pem; }};
server 127.0.0.1:{tls_port} {{ tls-mode connection; }};
server 127.0.0.1:{starttls_port} {{ tls-mode ondemand; }};
"""


@dataclass(frozen=True)
class MailutilsOptions:
    """`mailbox_type`: "mbox", its default, or "maildir", where a folder can hold both mail and folders.

    In an mbox, each message gets additional fields (X-UID, Status, X-IMAPbase), and UIDVALIDITY is the
    current time while the folder is empty. In a maildir, an APPEND loses flags and date; the UID of the
    newest message and a new folder's UIDVALIDITY change at each access until a client opens the folder for
    writing.
    """

    mailbox_type: str = "mbox"


def mailutils_lacks() -> str:
    """The reason why imap4d cannot be started on this machine, or "" if it can."""
    return lacks_programs("The imap4d of GNU mailutils", "mailutils", (_IMAP4D,))


class Mailutils(Restartable):
    """A running server on localhost, with the interface of `Dovecot`."""

    def __init__(self, home: Path, options: MailutilsOptions, ca: CertificateAuthority) -> None:
        self.home = home
        self.options = options
        self.ca_file = ca.ca_file
        self._log = home / "imap4d.log"
        tls_port, starttls_port = free_ports(2)
        self.imaps = Endpoint("localhost", tls_port, Security.TLS)
        self.starttls = Endpoint("localhost", starttls_port, Security.STARTTLS)
        for target, issued in zip((home / "cert.pem", home / "key.pem"), ca.issue(), strict=True):
            shutil.copyfile(issued, target)
            target.chmod(0o600)
        for name in ("passwords", "spool", "users"):
            (home / name).mkdir()
        config = _CONFIG.format(
            home=home, mailbox_type=options.mailbox_type, tls_port=tls_port, starttls_port=starttls_port
        )
        (home / "imap4d.conf").write_text(config)
        if os.geteuid() == 0:
            for path in (home, *home.rglob("*")):
                shutil.chown(path, server_user(), "nogroup")
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [*as_server_user(), str(_IMAP4D), f"--config-file={self.home}/imap4d.conf"]
        process = start_group(command, self._log, environment=with_libraries("mailutils"))
        ports = self.imaps.port, self.starttls.port
        wait_until(lambda: process.poll() is not None or all(listens(port) for port in ports))
        if process.poll() is not None or not all(listens(port) for port in ports):
            kill_group(process)
            raise RehearsalError(f"imap4d did not start:\n{self.log()}")
        return process

    def add_user(self, name: str, password: str) -> None:
        """Add the user without any mail, or change the password. Takes effect immediately."""
        user, _, domain = name.partition("@")
        if not user or not domain or any(c in name for c in ":/\0\r\n ") or domain.startswith("."):
            raise ValueError(f"“{name}” cannot be a user of the rehearsal server: user@domain, no : or /")
        owner = self.home.stat()
        home = f"{self.home}/users/{user}"  # virtdomain omits the domain
        line = f"{user}:{_crypt(password)}:{owner.st_uid}:{owner.st_gid}::{home}:/bin/sh"
        file = self.home / "passwords" / domain
        others = file.read_text().splitlines() if file.exists() else []
        made = self.home / "passwords.new"
        made.write_text("\n".join([*(o for o in others if o.partition(":")[0] != user), line, ""]))
        made.replace(file)

    def account(self, name: str) -> Account:
        """The user's account over implicit TLS."""
        return Account(name, name, self.imaps)

    def log(self) -> str:
        """The output of the server so far."""
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""


def _crypt(password: str) -> str:
    """crypt(3) with SHA-512. Python no longer has a module for it."""
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    hashed: bytes = library.crypt(password.encode(), f"$6${secrets.token_hex(8)}".encode())
    return hashed.decode("ascii")


@contextmanager
def mailutils(
    root: Path, options: MailutilsOptions | None = None, *, ca: CertificateAuthority | None = None
) -> Iterator[Mailutils]:
    """Run an imap4d. At exit it is stopped and its mail removed; `imap4d.log` in `root` has its output.

    Without `ca`, a new authority is created in `root`. Raises RehearsalError if it cannot start.
    """
    if lacks := mailutils_lacks():
        raise RehearsalError(lacks)
    root.mkdir(parents=True, exist_ok=True)
    authority = ca or CertificateAuthority(root / "ca")
    home = home_folder("mailhaul-imap4d-")
    try:
        home.chmod(0o755)
        server = Mailutils(home, options or MailutilsOptions(), authority)
        try:
            yield server
        finally:
            server.kill()
            (root / "imap4d.log").write_text(server.log(), encoding="utf-8")
    finally:
        shutil.rmtree(home, ignore_errors=True)
