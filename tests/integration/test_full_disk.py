"""The installation's disk is full: the error says so, no mail host is blamed, and nothing is lost."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from importer.adapters.digest_file import DigestFile
from importer.adapters.imap.spool import Spool, SpoolFiles
from importer.adapters.store.sql_store import SqlStore
from importer.domain.model import State
from importer.ports.process import OwnDiskFull
from tests.conftest import MakeUser
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.checker import compare
from tests.rehearsal.copier import copier
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.fill import Stored
from tests.rehearsal.installation import Installation

WHEN = datetime(2003, 2, 2, 4, 5, 6, tzinfo=UTC)
LARGE = b"Subject: large\r\n\r\n" + b"0123456789abcde\r\n" * 400_000  # 6.8 MB: spooled to a file
SMALL_BYTES = 3_000_000
FULL_DISK = Path("/dev/full")  # accepts no bytes, see full(4)

SMALL_DISK = 'mount -t tmpfs -o size={} tmpfs "$MAILHAUL_DATA" && exec "$@"'


def on_a_disk_of(size: int) -> tuple[str, ...]:
    """A command prefix that mounts a file system of this size as the data directory."""
    return ("unshare", "--map-root-user", "--mount", "sh", "-c", SMALL_DISK.format(size), "sh")


def with_files_of_at_most(size: int) -> tuple[str, ...]:
    """A command prefix that limits file sizes. Similar to a quota, with EFBIG in place of EDQUOT."""
    return ("prlimit", f"--fsize={size}")


def can(words: tuple[str, ...], data: Path) -> bool:
    done = subprocess.run(
        [*words, "true"], env={"MAILHAUL_DATA": str(data)}, capture_output=True, check=False
    )
    return done.returncode == 0


@pytest.mark.parametrize("narrow", [on_a_disk_of, with_files_of_at_most])
def test_a_large_message_without_spool_space_is_not_blamed_on_the_source_and_copied_later(
    tmp_path: Path,
    ca: CertificateAuthority,
    make_user: MakeUser,
    old_host: Dovecot,
    new_host: Dovecot,
    narrow: Any,
) -> None:
    old, new = make_user(old_host), make_user(new_host)
    old.fill(
        [
            Stored(("INBOX",), (), WHEN, b"Subject: small\r\n\r\nHello\r\n"),
            Stored(("INBOX",), (), WHEN, LARGE),
        ]
    )
    settings = {"CA_FILE": str(ca.ca_file), "DATABASE_URL": f"sqlite:///{tmp_path}/mailhaul.db"}
    roomy = Installation(tmp_path, settings)
    roomy.data.mkdir()
    words = narrow(SMALL_BYTES)
    if not can(words, roomy.data):
        pytest.skip("this machine does not allow mounting")
    tight = Installation(tmp_path, settings, command=(*words, *roomy.command))

    stopped = tight.json(*tight.copy_words(old, new), ends=5)
    assert stopped["problem"]["code"] == "disk_full"
    assert stopped["problem"]["side"] is None
    assert "run out of disk space" in stopped["problem"]["message"]

    done = roomy.json(*roomy.copy_words(old, new))
    assert (done["state"], done["totals"]["failed"]) == ("complete", 0)
    assert compare(old.read(), new.read()) == []


def test_the_doctor_reports_a_disk_without_space(tmp_path: Path) -> None:
    settings = {"DATABASE_URL": f"sqlite:///{tmp_path}/mailhaul.db"}
    roomy = Installation(tmp_path, settings)
    roomy.data.mkdir()
    findings = {finding["part"]: finding for finding in roomy.json("doctor", ends=None)}
    assert findings["disk"]["health"] in ("well", "odd")
    tight = Installation(tmp_path, settings, command=(*with_files_of_at_most(SMALL_BYTES), *roomy.command))
    findings = {finding["part"]: finding for finding in tight.json("doctor", ends=5)}
    assert findings["disk"]["health"] == "ill"
    assert str(roomy.data) in findings["disk"]["fix"]


@pytest.mark.parametrize("pages", [0, 6])
def test_a_full_database_disk_loses_and_duplicates_nothing(
    tmp_path: Path,
    ca: CertificateAuthority,
    make_user: MakeUser,
    old_host: Dovecot,
    new_host: Dovecot,
    pages: int,
) -> None:
    old, new = make_user(old_host), make_user(new_host)
    old.fill(Stored(("INBOX",), (), WHEN, b"Subject: %d\r\n\r\nHello %d\r\n" % (n, n)) for n in range(2000))
    with copier(tmp_path, ca.ca_file) as copies:
        store = copies.deps.store
        assert isinstance(store, SqlStore)
        with store.reading() as reader:
            max_pages = reader.exec_driver_sql("PRAGMA page_count").scalar_one() + pages

        def narrow(connection: sqlite3.Connection, *_: object) -> None:
            connection.execute(f"PRAGMA max_page_count={max_pages}")

        event.listen(store.engine, "connect", narrow)
        store.engine.dispose()
        for _ in range(3):
            # The problem is stored if there is room for it; otherwise the caller gets the error.
            with suppress(OwnDiskFull):
                stopped = copies.copy(old, new, runs=1)
                assert stopped.problem is not None
                assert (stopped.problem.code, stopped.problem.side) == ("disk_full", None)
        event.remove(store.engine, "connect", narrow)
        store.engine.dispose()
        assert copies.copy(old, new).state is State.COMPLETE
    assert compare(old.read(), new.read()) == []


def test_temporary_files_report_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> Any:
        return FULL_DISK.open("r+b", buffering=0)

    for module in ("importer.adapters.imap.spool", "importer.adapters.digest_file"):
        monkeypatch.setattr(f"{module}.TemporaryFile", full)
    spool = Spool(SpoolFiles(tmp_path))
    with pytest.raises(OwnDiskFull, match="No space left on device"):
        spool.write(b"x" * 100)
    with pytest.raises(OwnDiskFull, match="No space left on device"):
        DigestFile(tmp_path).add(b"0123456789abcdef")
