"""A separate Mailhaul installation in one directory: its console and workers as real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from importer.settings import Settings
from importer.settings.fields import settings_of
from tests.rehearsal.consoles import run_forked
from tests.rehearsal.hosts import User
from tests.rehearsal.processes import start_group, stop_group

TIMEOUT_S = 240
CONSOLE = (sys.executable, "-m", "importer.cli")
_SETTINGS: Final = {name.upper() for name, _ in settings_of(Settings)}


def with_mail(ca_file: Path, smtp_url: str, queue_url: str) -> dict[str, str]:
    """The settings of an installation that trusts that authority, sends mail, and polls its queue every
    second."""
    return {
        "CA_FILE": str(ca_file),
        "REDIS_URL": queue_url,
        "TICK_SECONDS": "1",
        "SMTP_URL": smtp_url,
        "MAIL_FROM": "mailhaul@new.example",
        "ALLOW_PLAINTEXT": "true",
    }


@dataclass(slots=True)
class Installation:
    """An installation: settings as environment variables without the MAILHAUL_ prefix, and a directory."""

    root: Path
    settings: dict[str, str] = field(default_factory=dict)
    transcript: list[str] = field(default_factory=list)  # the output of all commands

    command: tuple[str, ...] = CONSOLE

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def log_file(self) -> Path:
        return self.root / "workers.log"

    @property
    def forked(self) -> bool:
        """Whether `run` uses a forked console. It does for the default command."""
        return self.command == CONSOLE

    def environment(self) -> dict[str, str]:
        """The variables of its processes. Fails on an unknown setting, which would have no effect."""
        for name in self.settings:
            if name not in _SETTINGS and name.removesuffix("_FILE") not in _SETTINGS:
                raise AssertionError(f"there is no setting MAILHAUL_{name}")
        own = {name: value for name, value in os.environ.items() if not name.startswith("MAILHAUL_")}
        own |= {"MAILHAUL_DATA": str(self.data), "LC_ALL": "C.UTF-8"}  # the console: in English
        return own | {f"MAILHAUL_{name}": value for name, value in self.settings.items()}

    def run(
        self,
        *words: str,
        ends: int | None = 0,
        environment: dict[str, str] | None = None,
        stdin: str = "",
        timeout_s: float = TIMEOUT_S,
    ) -> subprocess.CompletedProcess[str]:
        """Run `mailhaul WORDS`. Fails unless the exit code is `ends` (None: any)."""
        run = self.environment() | (environment or {})
        if self.forked:
            result = run_forked(words, run, stdin, timeout_s)
        else:
            result = subprocess.run(
                [*self.command, *words],
                env=run,
                capture_output=True,
                text=True,
                input=stdin,
                timeout=timeout_s,
                check=False,
            )
        self.transcript += [result.stdout, result.stderr]
        if ends is not None and result.returncode != ends:
            raise AssertionError(
                f"mailhaul {' '.join(words)} ended with {result.returncode}, not {ends}:\n"
                f"{result.stdout}\n{result.stderr}"
            )
        return result

    def json(self, *words: str, ends: int | None = 0) -> Any:
        """The parsed output of `mailhaul WORDS --json`."""
        return json.loads(self.run(*words, "--json", ends=ends).stdout)

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run a worker. At the end it is stopped with SIGTERM if it is still running."""
        process = self.start_worker()
        try:
            yield process
        finally:
            stop_group(process, patience_s=30)

    def start_worker(self) -> subprocess.Popen[bytes]:
        """Start a worker, to be ended with `processes.stop_group` or `kill_group`."""
        return start_group([*self.command, "worker"], self.log_file, environment=self.environment())

    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8") if self.log_file.exists() else ""

    def csv(self, name: str, rows: Sequence[tuple[User, User]], **options: str) -> Path:
        """Write a batch file with those pairs of mailboxes and their servers; `options` are columns, too."""
        path = self.root / name
        lines = [
            "source_address,source_password,source_server,destination_address,destination_password,"
            "destination_server" + "".join(f",{option}" for option in options)
        ]
        lines += [
            ",".join(
                (
                    old.account.address,
                    old.password,
                    str(old.account.endpoint),
                    new.account.address,
                    new.password,
                    str(new.account.endpoint),
                    *options.values(),
                )
            )
            for old, new in rows
        ]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def copy_words(self, old: User, new: User) -> tuple[str, ...]:
        """The arguments of `mailhaul copy` for those mailboxes."""
        words: list[str] = ["copy"]
        for side, user in (("from", old), ("to", new)):
            scheme, rest = str(user.account.endpoint).split("://")
            password = self.root / f"{user.account.login}.password"
            password.write_text(user.password + "\n", encoding="utf-8")
            words += [f"--{side}", f"{scheme}://{user.account.login}@{rest}"]
            words += [f"--{side}-password-file", str(password)]
        return tuple(words)
