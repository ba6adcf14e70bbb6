"""A real Dovecot 2.3, started in under half a second, as root or as an ordinary user.

All its files are in a temporary folder with a short path: the paths of unix sockets are limited to about 100
characters, and pytest's folders are not readable by the user that Dovecot runs as when root starts it.
"""

from __future__ import annotations

import imaplib
import json
import os
import pwd
import shutil
import ssl
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from importer.domain.model import Account
from providers.endpoint import Endpoint, Security
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.dovecot_config import MAIL_USER, internal_user_and_group, write_config
from tests.rehearsal.ports import RehearsalError, free_ports, home_folder, wait_until
from tests.rehearsal.processes import kill_group, start_group
from tests.rehearsal.restartable import Restartable

_SEARCH_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
_STARTED = " starting up for imap"


@dataclass(frozen=True)
class DovecotOptions:
    """Differences from a default server.

    `mail_driver` is "maildir", "mdbox", or "maildir++": folders are named directories in one folder, so that
    with the separator "/" no name may contain a dot. `quota_bytes` is each user's limit, `max_mail_bytes` the
    largest message. `special_use`: Sent, Drafts, Trash, Junk and Archive exist, subscribed, with
    their RFC 6154 attributes. `capability_minus`: capabilities that are not announced, such as
    ("MULTIAPPEND", "LITERAL+"); Dovecot still executes their commands if a client sends them.
    `compress`: COMPRESS=DEFLATE is offered.
    `masters`: users added by `add_master` open every mailbox, with the authorisation identity of SASL PLAIN,
    and with a `master_separator` also with logins that combine both names.
    With an `introspection_url`, access tokens are accepted too and verified at that URL (RFC 7662).
    """

    separator: str = "/"
    prefix: str = ""
    mail_driver: str = "maildir"
    fsync: bool = False
    quota_bytes: int | None = None
    max_mail_bytes: int | None = None
    special_use: bool = True
    capability_minus: tuple[str, ...] = ()
    introspection_url: str = ""
    compress: bool = False
    masters: bool = False
    master_separator: str = ""


def dovecot_installed() -> bool:
    """Whether Dovecot's programs are installed."""
    return all(shutil.which(program, path=_SEARCH_PATH) for program in ("dovecot", "doveadm"))


class Dovecot(Restartable):
    """A running server on localhost. Users are added while it runs.

    It offers STARTTLS on `starttls`. It also accepts logins without TLS, since client and server are on the
    same machine (`secured` in its log). The client's tests must therefore check that the client requires TLS.
    """

    def __init__(
        self, home: Path, options: DovecotOptions, ca: CertificateAuthority, capability: str | None
    ) -> None:
        self.home = home
        self.options = options
        self.ca_file = ca.ca_file
        self._config = home / "dovecot.conf"
        self._log = home / "dovecot.log"
        self._users = home / "users" / "passdb"
        tls_port, starttls_port = free_ports(2)
        self.imaps = Endpoint("localhost", tls_port, Security.TLS)
        self.starttls = Endpoint("localhost", starttls_port, Security.STARTTLS)
        for target, issued in zip((home / "cert.pem", home / "key.pem"), ca.issue(), strict=True):
            shutil.copyfile(issued, target)
            target.chmod(0o600)
        (home / "mail").mkdir()
        (home / "run").mkdir()
        self._users.mkdir(parents=True)
        (home / "masters" / "passdb").mkdir(parents=True)
        if os.geteuid() == 0:
            owner = pwd.getpwnam(MAIL_USER)
            os.chown(home / "mail", owner.pw_uid, owner.pw_gid)
        self._ports_and_capability = (tls_port, starttls_port, capability)
        write_config(self._config, options, *self._ports_and_capability)
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        program = shutil.which("dovecot", path=_SEARCH_PATH)
        if program is None:
            raise RehearsalError("Dovecot is not installed; on Debian: apt-get install dovecot-imapd")
        # Dovecot logs this once it has bound its ports. From then on the kernel queues connections.
        starts = self.log().count(_STARTED)
        process = start_group([program, "-F", "-c", str(self._config)], self.home / "start.log")
        wait_until(lambda: process.poll() is not None or self.log().count(_STARTED) > starts)
        if self.log().count(_STARTED) == starts:
            kill_group(process)
            raise RehearsalError(f"Dovecot did not start:\n{self.log()}")
        return process

    def restart_with(self, options: DovecotOptions) -> None:
        """Stop it, and start it with other options, on the same ports and with the same mail."""
        self.stop()
        self.options = options
        write_config(self._config, options, *self._ports_and_capability)
        self._process = self._start()

    @property
    def pid(self) -> int:
        """The process id of the master process."""
        return self._process.pid

    def add_user(self, name: str, password: str) -> None:
        """Add the user with an empty mailbox, or change the password. Takes effect immediately."""
        if not name or any(c in name for c in ":/\0\r\n") or name != name.lower():
            raise ValueError(f"“{name}” cannot be a user of the rehearsal server: lower case, no : or /")
        self._store(self._users / name, password)

    def add_master(self, name: str, password: str) -> None:
        """Add a master user, or change the password. Takes effect immediately."""
        self._store(self.home / "masters" / "passdb" / name, password)

    def _store(self, entry: Path, password: str) -> None:
        new = self.home / "user.new"
        sealed = b64encode(password.encode()).decode("ascii")
        new.write_text(json.dumps({"password": f"{{PLAIN.b64}}{sealed}"}), encoding="utf-8")
        if os.geteuid() == 0:
            user, group = internal_user_and_group()
            shutil.chown(new, user, group)
        new.chmod(0o600)
        new.replace(entry)

    def account(self, name: str) -> Account:
        """The user's account over implicit TLS."""
        return Account(name if "@" in name else f"{name}@localhost", name, self.imaps)

    def mailbox_path(self, name: str) -> Path:
        """The directory of the user's mail. It exists once a folder has been opened."""
        return self.home / "mail" / name / "mail"

    def doveadm(self, *args: str) -> str:
        """The output of `doveadm ARGS`. Raises RehearsalError with the error output if the command fails."""
        program = shutil.which("doveadm", path=_SEARCH_PATH) or "doveadm"
        result = subprocess.run(
            [program, "-c", str(self._config), *args], capture_output=True, text=True, check=False
        )
        if result.returncode != 0:
            raise RehearsalError(f"doveadm {' '.join(args)}: {result.stderr.strip()}")
        return result.stdout

    def log(self) -> str:
        """The server's log so far."""
        logs = (self.home / "start.log", self._log)
        return "".join(log.read_text(encoding="utf-8", errors="replace") for log in logs if log.exists())


@contextmanager
def dovecot(
    root: Path, options: DovecotOptions | None = None, *, ca: CertificateAuthority | None = None
) -> Iterator[Dovecot]:
    """Run a Dovecot. At exit it is stopped and its mail removed; its log remains as `dovecot.log` in `root`.

    Without `ca`, a new authority is created in `root`. Raises RehearsalError if it cannot start.
    """
    chosen = options or DovecotOptions()
    root.mkdir(parents=True, exist_ok=True)
    authority = ca or CertificateAuthority(root / "ca")
    capability = _capability_without(root, chosen, authority) if chosen.capability_minus else None
    with _home(on_disk=chosen.fsync) as home:
        server = _start_on_free_ports(home, chosen, authority, capability)
        try:
            yield server
        finally:
            server.kill()  # the mail is removed anyway, and an orderly stop takes a second
            (root / "dovecot.log").write_text(server.log(), encoding="utf-8")


@contextmanager
def _home(*, on_disk: bool) -> Iterator[Path]:
    home = home_folder("mailhaul-dovecot-", on_disk=on_disk)
    home.chmod(0o755)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _start_on_free_ports(
    home: Path, options: DovecotOptions, ca: CertificateAuthority, capability: str | None
) -> Dovecot:
    for attempt in range(3):
        place = home / str(attempt)
        place.mkdir()
        try:
            return Dovecot(place, options, ca, capability)
        except RehearsalError as error:  # another process took the port before Dovecot bound it
            if "Address already in use" not in str(error):
                raise
    raise RehearsalError("Dovecot found its port taken three times in a row; try again")


def _capability_without(root: Path, options: DovecotOptions, ca: CertificateAuthority) -> str:
    """The capabilities after login, without `capability_minus`: Dovecot 2.3 does not support `-NAME`."""
    with dovecot(root / "full", replace(options, capability_minus=()), ca=ca) as full:
        full.add_user("asker", "asker")
        context = ssl.create_default_context(cafile=str(full.ca_file))
        with imaplib.IMAP4_SSL(full.imaps.host, full.imaps.port, ssl_context=context) as client:
            client.login("asker", "asker")
            offered = client.capability()[1][0].decode("ascii").split()
    return " ".join(name for name in offered if name not in options.capability_minus)
