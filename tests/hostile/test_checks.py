"""Checks and copies at the console and the pages' way: in bounded memory and time, with the limit named."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from importer.bootstrap import standalone
from importer.domain.model import Account
from importer.domain.reporting.mailbox_check import Check, CheckPhase
from importer.i18n.problem_texts import problem_text
from importer.i18n.translations import LANGUAGES, texts
from importer.ports.work_limit import WorkLimit
from importer.service.deps import Deps
from importer.service.imports.check_mailboxes import check, timed_out
from importer.settings import Settings
from providers.endpoint import Secret
from tests.conftest import MakeUser
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.hostile import hostile_server
from tests.rehearsal.hosts import User
from tests.rehearsal.installation import Installation
from tests.rehearsal.memory import MIB, watch_peak
from tests.rehearsal.scripted import ScriptedServer

MOST_BYTES = 100 * MIB
MOST_S = 50.0
"""More than is promised, for busy machines, and less than the timeouts."""


@pytest.fixture
def deps(tmp_path: Path, new_host: Dovecot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deps]:
    monkeypatch.setenv("MAILHAUL_CA_FILE", str(new_host.ca_file))
    with standalone(Settings.load(data=tmp_path / "data")) as built:
        yield built


def results(deps: Deps, server: ScriptedServer, new: User, limit: WorkLimit | None = None) -> list[Check]:
    source = Account("ada@old.example", "ada", server.endpoint)
    return list(check(deps, (source, Secret("secret")), (new.account, Secret(new.password)), limit=limit))


@pytest.mark.parametrize(
    ("attack", "code"),
    [("huge-name", "beyond_limit"), ("endless-list", "beyond_limit"), ("endless-login", "beyond_limit")],
)
def test_a_check_names_the_limit_in_each_language(
    attack: str, code: str, deps: Deps, make_user: MakeUser, new_host: Dovecot
) -> None:
    with hostile_server(attack) as server:
        growth = watch_peak()
        last = results(deps, server, make_user(new_host))[-1]
    assert last.done
    assert growth() < MOST_BYTES, f"{growth() / MIB:.0f} MiB"
    assert last.destination.look is CheckPhase.DONE
    problem = last.source.problem
    assert problem is not None
    assert problem.code == code
    sentences = {problem_text(texts(name), problem) for name in LANGUAGES}
    assert len(sentences) == len(LANGUAGES)
    assert all("localhost" in sentence and any(c.isdigit() for c in sentence) for sentence in sentences)


@pytest.mark.parametrize("attack", ["list-drip", "silent-login"])
def test_a_check_ends_when_its_time_is_up_or_nobody_waits_for_it(
    attack: str, deps: Deps, make_user: MakeUser, new_host: Dovecot
) -> None:
    new = make_user(new_host)
    with hostile_server(attack) as server:
        began = time.monotonic()
        in_time = results(deps, server, new, WorkLimit(2.0))[-1]
        assert time.monotonic() - began < 2.0 + MOST_S
        assert not in_time.done
        problem = timed_out(in_time).source.problem
        assert problem is not None
        assert problem.code == "server_too_slow"
        left = WorkLimit()
        threading.Timer(2.0, left.end).start()  # the browser is closed
        began = time.monotonic()
        results(deps, server, new, left)
        assert time.monotonic() - began < 2.0 + MOST_S


def test_a_copy_at_the_console_stops_with_the_limit(
    tmp_path: Path, make_user: MakeUser, old_host: Dovecot, new_host: Dovecot
) -> None:
    installation = Installation(tmp_path, {"CA_FILE": str(new_host.ca_file), "ALLOW_PLAINTEXT": "true"})
    old, new = make_user(old_host), make_user(new_host)
    with hostile_server("huge-status") as server:
        words = list(installation.copy_words(old, new))
        words[words.index("--from") + 1] = f"imap://{old.account.login}@localhost:{server.endpoint.port}"
        result = installation.run(*words, ends=None)
    assert result.returncode != 0
    assert "more messages than Mailhaul accepts (the limit is 5000000)" in " ".join(
        result.stdout.split()
    ).replace(",", "")
