"""An unattended night: one fault after the other, and the operator's alarms.

The worker, pages, PostgreSQL, Valkey and Dovecot are real; so are the alert rules of deploy/prometheus, over
metrics that are scraped each second. Their times are `COMPRESSED` times shorter than written; Mailhaul's own
waits are not. Each fault occurs while imports run. It lasts until its alarm fires; then the alarm must clear
and every import must complete. `python -m tests.drill.night` prints the log.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Final

from cryptography.fernet import Fernet
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from importer.adapters.store.schema import migrate
from tests.drill.alerts import Alarms, Labels, Scrapes, samples_of
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.checker import compare
from tests.rehearsal.dovecot import Dovecot, DovecotOptions, dovecot
from tests.rehearsal.fill import INBOX, Stored
from tests.rehearsal.hosts import User, new_user
from tests.rehearsal.installation import Installation
from tests.rehearsal.ports import RehearsalError, free_ports, wait_until
from tests.rehearsal.postgres import Postgres, fresh_database, postgres_server
from tests.rehearsal.processes import kill_group, start_group
from tests.rehearsal.smtp import SmtpCatcher, smtp_catcher
from tests.rehearsal.valkey import Valkey, valkey

COMPRESSED: Final = 10.0
PATIENCE_S: Final = 600
QUOTA_BYTES: Final = 12_000_000
DATA_BYTES: Final = 24_000_000
LARGE: Final = b"Subject: large\r\n\r\n" + b"0123456789abcde\r\n" * 400_000  # 6.8 MB: spooled to a file
WHEN: Final = datetime(2020, 1, 1, 12, tzinfo=UTC)
RULES: Final = Path(__file__).parents[2] / "deploy/prometheus/mailhaul.rules.yaml"
SMALL_DISK: Final = f'mount -t tmpfs -o size={DATA_BYTES} tmpfs "$MAILHAUL_DATA" && exec "$@"'
SETTINGS: Final = {
    "TICK_SECONDS": "1",
    "LEASE_SECONDS": "8",
    "SETTLE_QUIET_SECONDS": "3",
    "IMAP_TIMEOUT_SECONDS": "20",
    "WORKER_THREADS": "4",
    "LANES": "1",
    "BATCH_MESSAGES": "10",
    "SUBMITTER": "operator@mail.example",
    "MAIL_FROM": "mailhaul@mail.example",
}

OWN_HOST, DATABASE = "MailhaulOwnHostFails", "MailhaulDatabaseAway"
DOWN, SILENT, DISK = "MailhaulProcessDown", "MailhaulWorkerSilent", "MailhaulDiskFull"


def mountable() -> bool:
    """Whether this machine can give a worker a small disk of its own."""
    with tempfile.TemporaryDirectory() as folder:
        probe = [*_on_a_small_disk(), "true"]
        environment = os.environ | {"MAILHAUL_DATA": folder}
        return subprocess.run(probe, env=environment, capture_output=True, check=False).returncode == 0


def _on_a_small_disk() -> tuple[str, ...]:
    mapped = () if os.geteuid() == 0 else ("--map-root-user",)
    return ("unshare", *mapped, "--mount", "sh", "-c", SMALL_DISK, "sh")


@dataclass(slots=True)
class Night:
    """The stage, the alarms, and the observations. `wrong` is empty after a good night."""

    installation: Installation
    old_host: Dovecot
    new_host: Dovecot
    database: Postgres
    queue: Valkey
    mail: SmtpCatcher
    alarms: Alarms
    say: Callable[[str], None]
    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)  # by port of the metrics
    pairs: list[tuple[User, User]] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    # --- Watching ---

    def note(self, what: str) -> None:
        self.say(f"{time.monotonic() - self.began:6.0f} s  {what}")

    def watch(self, ended: Event) -> None:
        """Scrape every process each second and log each alarm."""
        told = 0
        with ThreadPoolExecutor(len(self.processes)) as pool:
            while not ended.wait(1):
                samples: dict[tuple[str, Labels], float] = {}
                for port, answer in zip(self.processes, pool.map(_scrape, self.processes), strict=True):
                    samples |= samples_of(f"127.0.0.1:{port}", answer)
                self.alarms.observe(time.monotonic(), samples)
                for _, alarm, fires in self.alarms.history[told:]:
                    self.note(f"    alarm {alarm} {'FIRES' if fires else 'is cleared'}")
                told = len(self.alarms.history)

    def fires(self, *alarms: str) -> bool:
        return self._until(lambda: self.alarms.firing >= set(alarms), f"{', '.join(alarms)} did not fire")

    def _until(self, condition: Callable[[], bool], else_: str) -> bool:
        if wait_until(condition, timeout_s=PATIENCE_S, every_s=0.2):
            return True
        self.wrong.append(else_)
        self.note(f"!!! {else_}")
        return False

    # --- Imports ---

    def submit(self, number: int, messages: Sequence[bytes] = ()) -> list[tuple[User, User]]:
        """Submit imports of the given mailboxes, by default of new ones with 60 messages each."""
        some: list[tuple[User, User]] = []
        for _ in range(number):
            name = len(self.pairs) + len(some)
            old = new_user(self.old_host, f"m{name}@old.example")
            new = new_user(self.new_host, f"m{name}@new.example")
            old.fill(Stored(INBOX, (), WHEN, one) for one in messages or _letters(name))
            some.append((old, new))
        self.pairs += some
        self.installation.run("batch", str(self.installation.csv(f"{len(self.pairs)}.csv", some)))
        return some

    def states(self) -> dict[str, tuple[str, str]]:
        """State and problem of each import by the login of its destination; {} while the database is
        unavailable."""
        url = make_url(self.installation.settings["DATABASE_URL"]).set(drivername="postgresql+psycopg")
        engine = create_engine(url, poolclass=NullPool)
        asked = text("SELECT destination_login, state, problem_code FROM imports")
        with suppress(DBAPIError), engine.connect() as connection:
            return {login: (state, code or "") for login, state, code in connection.execute(asked)}
        return {}

    def under_way(self) -> None:
        self._until(
            lambda: any(state == "running" for state, _ in self.states().values()), "no import is under way"
        )

    def all_complete(self) -> bool:
        found = self.states()
        return len(found) == len(self.pairs) and {state for state, _ in found.values()} == {"complete"}

    @contextmanager
    def fault(self, what: str, *alarms: str) -> Iterator[None]:
        """The body causes the fault and ends it; then wait for recovery."""
        self.note(what)
        before = len(self.alarms.history)
        yield
        self._until(self.all_complete, f"{what}: not all imports are complete: {self.states()}")
        self.note("    every import is complete")
        self._until(lambda: not self.alarms.firing, f"{what}: {self.alarms.firing} not cleared")
        changes = [(alarm, fires) for _, alarm, fires in self.alarms.history[before:]]
        wanted = sorted((alarm, fires) for alarm in alarms for fires in (True, False))
        if sorted(changes) != wanted:
            self.wrong.append(f"{what}: alarms {changes}, expected {wanted}")
            self.note(f"!!! {self.wrong[-1]}")

    # --- Processes ---

    def start(self) -> None:
        """Two workers, with small disks of their own if the machine allows it, and the pages."""
        *ports, pages = free_ports(4)
        for port, name in zip(ports, ("worker", "worker", "web"), strict=True):
            installation = self.installation
            prefix = _on_a_small_disk() if name == "worker" and mountable() else ()
            own = {"METRICS_LISTEN": f"127.0.0.1:{port}", "WEB_LISTEN": f"127.0.0.1:{pages}"}
            made = replace(installation, settings=installation.settings | own)
            words = [*prefix, *made.command, name]
            self.processes[port] = start_group(words, made.log_file, environment=made.environment())
        if not wait_until(lambda: all(map(_scrape, self.processes)), timeout_s=PATIENCE_S, every_s=1):
            raise RehearsalError(f"not all processes started:\n{self.installation.log()[-2000:]}")

    def workers(self) -> list[subprocess.Popen[bytes]]:
        return [*self.processes.values()][:2]


def _scrape(port: int) -> str | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=4) as answer:
            return str(answer.read().decode())
    except (OSError, urllib.error.URLError):
        return None


def _letters(name: int) -> Iterator[bytes]:
    for n in range(60):
        body = b"%d of %d, a line of text\r\n" % (n, name) * 400
        yield b"Message-ID: <%d.%d@old.example>\r\nSubject: %d\r\n\r\n" % (n, name, n) + body


@contextmanager
def stage(root: Path, say: Callable[[str], None]) -> Iterator[Night]:
    ca = CertificateAuthority(root / "ca")
    with ExitStack() as stack:
        old_host = stack.enter_context(dovecot(root / "old-host", ca=ca))
        new_host = stack.enter_context(
            dovecot(root / "new-host", DovecotOptions(quota_bytes=QUOTA_BYTES), ca=ca)
        )
        database = stack.enter_context(postgres_server(root))
        queue = stack.enter_context(valkey(root))
        mail = stack.enter_context(smtp_catcher())
        url = fresh_database(database.url)
        migrate(url)
        settings = SETTINGS | {
            "CA_FILE": str(ca.ca_file),
            "REDIS_URL": queue.url,
            "DATABASE_URL": url,
            "SMTP_URL": mail.url,
            "DESTINATION_SERVER": str(new_host.imaps),
            "SECRET_KEY": Fernet.generate_key().decode(),
        }
        installation = Installation(root, settings)
        installation.data.mkdir()
        alarms = Alarms(RULES, Scrapes(COMPRESSED))
        night = Night(installation, old_host, new_host, database, queue, mail, alarms, say)
        ended = Event()
        watcher = Thread(target=night.watch, args=(ended,))
        try:
            night.start()
            watcher.start()
            yield night
        finally:
            ended.set()
            if watcher.ident is not None:
                watcher.join()
            for process in night.processes.values():
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGCONT)
                kill_group(process)


def spend(night: Night) -> None:
    """The night, fault by fault."""
    new_host = night.new_host
    with night.fault("The destination is down.", OWN_HOST):
        night.submit(3)
        night.under_way()
        new_host.stop()
        night.submit(1)  # during the outage
        night.fires(OWN_HOST)
        new_host.restart()
        night.note("    it is up again")
    with night.fault("The certificate of the destination is wrong.", OWN_HOST):
        _change_certificate(new_host, CertificateAuthority(night.installation.root / "other-ca"))
        night.submit(3)
        night.fires(OWN_HOST)
        _change_certificate(new_host, None)
        night.note("    the right one is back")
    with night.fault("The quota of one new mailbox is full."):
        [(_, new)] = night.submit(1, [*_letters(1000), LARGE, LARGE + b"2\r\n"])
        login = new.account.login
        night._until(lambda: night.states().get(login) == ("waiting", "destination_full"), "not full")
        new_host.doveadm("quota", "get", "-u", login)
        _change_quota(new_host, 10 * QUOTA_BYTES)
        night.installation.run("retry", "--state", "waiting", "--reason", "destination_full", "--yes")
        night.note("    its quota was raised, and the operator ran `mailhaul retry`")
    with night.fault("PostgreSQL is stopped and started again.", DATABASE):
        night.submit(3)
        night.under_way()
        night.database.stop()
        night.fires(DATABASE)
        night.database.start()
        night.note("    it is up again")
    with night.fault("Redis is emptied."):
        night.submit(3)
        night.queue.flush()
    with night.fault("A worker is frozen.", DOWN, SILENT):
        night.submit(3)
        night.under_way()
        os.killpg(night.workers()[0].pid, signal.SIGSTOP)
        night.fires(DOWN, SILENT)
        night._until(night.all_complete, "the other worker did not take over")
        os.killpg(night.workers()[0].pid, signal.SIGCONT)
        night.note("    it thaws")
    if mountable():
        with night.fault("The disks of both workers are full.", DISK):
            ballast = [_fill_disk(night, worker) for worker in night.workers()]
            night.submit(1, [*_letters(2000), LARGE])
            night.fires(DISK)
            for file in ballast:
                file.unlink()
            night.note("    there is room again")
    else:
        night.note("Not tried: a full disk, since this machine does not allow mounting.")
    for old, new in night.pairs:
        night.wrong += compare(old.read(), new.read())
    night.note(f"{len(night.pairs)} imports compared, byte for byte")
    stopped = [notice for notice in night.installation.log().splitlines() if '"state": "stopped"' in notice]
    night.wrong += stopped


def _change_certificate(host: Dovecot, ca: CertificateAuthority | None) -> None:
    """Replace the host's certificate with that of another authority, or restore it."""
    for number, name in enumerate(("cert.pem", "key.pem")):
        [file] = [path for path in host.home.rglob(name) if path.parent.name != "own"]
        kept = file.parent / "own" / name
        kept.parent.mkdir(exist_ok=True)
        if ca is None:
            shutil.copyfile(kept, file)
        else:
            shutil.copyfile(file, kept)
            shutil.copyfile(ca.issue()[number], file)
    host.restart()


def _change_quota(host: Dovecot, size_bytes: int) -> None:
    config = host.home / "dovecot.conf"
    before = config.read_text(encoding="utf-8")
    after = before.replace(str(QUOTA_BYTES), str(size_bytes))
    assert after != before
    config.write_text(after, encoding="utf-8")
    host.doveadm("reload")


def _fill_disk(night: Night, worker: subprocess.Popen[bytes]) -> Path:
    """Fill the disk that only this worker sees."""
    file = Path(f"/proc/{worker.pid}/root{night.installation.data}") / "ballast"
    with suppress(OSError), file.open("wb", buffering=0) as ballast:
        while True:
            ballast.write(b"\0" * 100_000)
    return file


def main() -> int:
    root = Path(tempfile.mkdtemp(prefix="mailhaul-night-"))
    with stage(root, lambda line: print(line, flush=True)) as night:
        spend(night)
    print(*night.wrong or ["A good night."], sep="\n")
    if not night.wrong:
        shutil.rmtree(root, ignore_errors=True)
    return 1 if night.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
