"""A real Courier IMAP, started as an ordinary user with its own directories.

Debian's packages of Courier and Dovecot conflict, so `.ci/debian-packages` unpacks Courier and installs only
its libraries. The path of a connection is Courier's own: couriertcpd, couriertls, imaplogin, authdaemond with
authuserdb, and imapd. Differences from Debian's setup: authdaemond's compiled-in paths in /etc and /run are
mounted from the test's folders (mount and process namespaces), one user owns all mail, and more connections
are allowed.

The prefix is "INBOX." and the separator ".". There is no LITERAL+, MULTIAPPEND, UNSELECT, CONDSTORE or
SPECIAL-USE. Messages without a final line end get one.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from importer.domain.model import Account
from providers.endpoint import Endpoint, Security
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.ports import RehearsalError, free_ports, home_folder, listens, wait_until
from tests.rehearsal.processes import kill_group, start_group
from tests.rehearsal.restartable import Restartable
from tests.rehearsal.unpacked import UNPACKED, as_server_user, lacks_programs, server_user, with_libraries

_COURIER = UNPACKED / "courier"
_LOGIN = _COURIER / "usr/lib/courier/courier/imaplogin"
_IMAPD = _COURIER / "usr/bin/imapd"
_TLS = _COURIER / "usr/bin/couriertls"
_TCPD = _COURIER / "usr/sbin/couriertcpd"
_AUTH = _COURIER / "usr/lib/courier/courier-authlib/authdaemond"
_MAKE_DATABASE = _COURIER / "usr/lib/courier/courier-authlib/makedatprog"
_MAKE_MAILDIR = _COURIER / "usr/bin/maildirmake.courier"
# couriertcpd leaves its process group. It ends nevertheless with the first process of the namespace, a shell
# that keeps its user: a process that changes it no longer receives the signal of --kill-child (prctl(2)).
_NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
if os.geteuid() != 0:
    _NAMESPACES.append("--map-root-user")

# /etc/courier/authdaemonrc of Debian 12, with authuserdb instead of authpam.
_AUTHDAEMONRC = """\
authmodulelist="authuserdb"
authmodulelistorig="authuserdb"
daemons=5
authdaemonvar=/run/courier/authdaemon
DEBUG_LOGIN=0
DEFAULTOPTIONS=""
"""

# /etc/courier/imapd and imapd-ssl of Debian 12. imapd and imaplogin take them from the environment.
_IMAPD_SETTINGS = """\
COURIERTLS={tls}
TLS_CERTFILE={home}/server.pem
TLS_VERIFYPEER=NONE
IMAP_CAPABILITY="IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE"
IMAP_CAPABILITY_TLS="$IMAP_CAPABILITY AUTH=PLAIN"
IMAP_KEYWORDS=1
IMAP_ACL=1
IMAP_IDLE_TIMEOUT=60
IMAP_MAILBOX_SANITY_CHECK=1
IMAP_CHECK_ALL_FOLDERS=0
IMAP_OBSOLETE_CLIENT=0
IMAP_USELOCKS=1
IMAP_ENHANCEDIDLE=0
IMAP_TRASHFOLDERNAME=Trash
IMAP_EMPTYTRASH=Trash:7
IMAP_TLS_REQUIRED=0
AUTHMODULES=authdaemon
"""

_SERVE = """\
set -eu
set -a
. {home}/imapd.settings
umask 022
rm -f /run/courier/authdaemon/*
(. /etc/courier/authdaemonrc; exec {auth}) &
listen="{tcpd} -address=127.0.0.1 -maxprocs=200 -maxperip=200 -nodnslookup -noidentlookup"
IMAP_STARTTLS=YES $listen {starttls_port} {login} {imapd} Maildir &
IMAP_TLS=1 exec $listen {tls_port} {tls} -server -tcpd {login} {imapd} Maildir
"""

_MOUNT = """\
set -eu
mount --bind {home}/etc /etc
mount --bind {home}/run /run
{as_user} sh {home}/serve
exit
"""


def courier_lacks() -> str:
    """The reason why Courier cannot be started on this machine, or "" if it can."""
    programs = (_LOGIN, _IMAPD, _TLS, _TCPD, _AUTH, _MAKE_DATABASE, _MAKE_MAILDIR)
    if lacks := lacks_programs("Courier IMAP", "courier", programs):
        return lacks
    mounted = [*_NAMESPACES, "mount", "--bind", "/tmp", "/run"]
    if subprocess.run(mounted, capture_output=True, check=False).returncode != 0:
        return "Courier IMAP needs namespaces (unshare), which this machine does not allow"
    return ""


class Courier(Restartable):
    """A running server on localhost, with the interface of `Dovecot`."""

    def __init__(self, home: Path, ca: CertificateAuthority) -> None:
        self.home = home
        self.ca_file = ca.ca_file
        self._log = home / "courier.log"
        self._users: dict[str, str] = {}
        tls_port, starttls_port = free_ports(2)
        self.imaps = Endpoint("localhost", tls_port, Security.TLS)
        self.starttls = Endpoint("localhost", starttls_port, Security.STARTTLS)
        certificate, key = ca.issue()
        (home / "server.pem").write_bytes(key.read_bytes() + certificate.read_bytes())
        for name in ("etc/courier", "run/courier/authdaemon", "users"):
            (home / name).mkdir(parents=True)
        for name in ("nsswitch.conf", "hosts"):
            shutil.copyfile(f"/etc/{name}", home / "etc" / name)
        self._write_files(tls_port, starttls_port)
        self._write_users()
        for path in (home, *home.rglob("*")):
            self._give_to_server_user(path)
        owner = home.stat()  # couriertls(1) becomes the user "courier" before it negotiates STARTTLS
        (home / "etc/passwd").write_text(f"courier:x:{owner.st_uid}:{owner.st_gid}::/:/bin/sh\n")
        (home / "etc/group").write_text(f"courier:x:{owner.st_gid}:\n")
        self._process = self._start()

    def _write_files(self, tls_port: int, starttls_port: int) -> None:
        home = self.home
        ids = f"--map-user={os.geteuid()} --map-group={os.getegid()}"
        as_user = " ".join(as_server_user()) or f"unshare {ids} --"
        (home / "etc/courier/authdaemonrc").write_text(_AUTHDAEMONRC)
        (home / "imapd.settings").write_text(_IMAPD_SETTINGS.format(home=home, tls=_TLS))
        (home / "mount").write_text(_MOUNT.format(home=home, as_user=as_user))
        programs = {"login": _LOGIN, "imapd": _IMAPD, "tls": _TLS, "tcpd": _TCPD, "auth": _AUTH}
        serve = _SERVE.format(home=home, tls_port=tls_port, starttls_port=starttls_port, **programs)
        (home / "serve").write_text(serve)

    def _start(self) -> subprocess.Popen[bytes]:
        process = start_group(
            [*_NAMESPACES, "sh", f"{self.home}/mount"], self._log, environment=with_libraries("courier")
        )
        ports = self.imaps.port, self.starttls.port
        socket = self.home / "run/courier/authdaemon/socket"

        def ready() -> bool:
            return all(listens(port) for port in ports) and listens(socket)

        wait_until(lambda: process.poll() is not None or ready())
        if process.poll() is not None or not ready():
            kill_group(process)
            raise RehearsalError(f"Courier did not start:\n{self.log()}")
        return process

    def add_user(self, name: str, password: str) -> None:
        """Add the user with an empty INBOX, or change the password. Takes effect immediately."""
        if not name or name.startswith(".") or any(c in name for c in "/|=\0\r\n\t "):
            raise ValueError(f"“{name}” cannot be a user of the rehearsal server")
        maildir = self.home / "users" / name / "Maildir"
        if not maildir.exists():
            maildir.parent.mkdir()
            self._give_to_server_user(maildir.parent)
            self._run([*as_server_user(), str(_MAKE_MAILDIR), str(maildir)])
        self._users[name] = "{SHA256}" + base64.b64encode(hashlib.sha256(password.encode()).digest()).decode()
        self._write_users()

    def _write_users(self) -> None:
        """Write userdb.dat and userdbshadow.dat, as makeuserdb(8) does."""
        owner = self.home.stat()
        places = {
            name: f"uid={owner.st_uid}|gid={owner.st_gid}|home={self.home}/users/{name}"
            for name in self._users
        }
        passwords = {name: f"systempw={password}" for name, password in self._users.items()}
        for database, records in (("userdb", places), ("userdbshadow", passwords)):
            lines = [f"{name}\t{record}" for name, record in records.items()]
            made = self.home / f"{database}.new"
            words = [str(_MAKE_DATABASE), "-", f"{made}.tmp", str(made)]
            self._run(words, stdin="\n".join([*lines, ".", ""]).encode())
            made.chmod(0o600)
            self._give_to_server_user(made)
            made.replace(self.home / f"etc/courier/{database}.dat")

    def _run(self, command: list[str], *, stdin: bytes = b"") -> None:
        result = subprocess.run(
            command, input=stdin, env=with_libraries("courier"), capture_output=True, check=False
        )
        if result.returncode != 0:
            raise RehearsalError(f"{command[-2]}: {result.stderr.decode(errors='replace').strip()}")

    @staticmethod
    def _give_to_server_user(path: Path) -> None:
        if os.geteuid() == 0:
            shutil.chown(path, server_user(), "nogroup")

    def account(self, name: str) -> Account:
        """The user's account over implicit TLS."""
        return Account(name if "@" in name else f"{name}@localhost", name, self.imaps)

    def log(self) -> str:
        """The output of the server so far."""
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""


@contextmanager
def courier(root: Path, *, ca: CertificateAuthority | None = None) -> Iterator[Courier]:
    """Run a Courier. At exit it is stopped and its mail removed; `courier.log` in `root` has its output.

    Without `ca`, a new authority is created in `root`. Raises RehearsalError if it cannot start.
    """
    if lacks := courier_lacks():
        raise RehearsalError(lacks)
    root.mkdir(parents=True, exist_ok=True)
    authority = ca or CertificateAuthority(root / "ca")
    home = home_folder("mailhaul-courier-")
    try:
        home.chmod(0o755)
        server = Courier(home, authority)
        try:
            yield server
        finally:
            server.kill()
            (root / "courier.log").write_text(server.log(), encoding="utf-8")
    finally:
        shutil.rmtree(home, ignore_errors=True)
