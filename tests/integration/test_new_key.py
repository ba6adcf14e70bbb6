"""A new secret key: what was sealed with the old one is sealed anew, the old one is retired, and a worker
that never had it completes the import."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from importer.domain.model import State
from tests.conftest import MakeUser
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.hosts import User
from tests.rehearsal.installation import Installation
from tests.rehearsal.sample import sample_mailbox
from tests.rehearsal.waits import at_rest

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


@pytest.fixture
def installation(tmp_path: Path, new_host: Dovecot, valkey_url: str) -> Installation:
    settings = {"CA_FILE": str(new_host.ca_file), "REDIS_URL": valkey_url, "TICK_SECONDS": "1"}
    return Installation(tmp_path, settings)


def submitted(installation: Installation, old: User, new: User) -> str:
    """An import, submitted under the old key; its id."""
    old.fill(list(sample_mailbox())[:10])
    installation.settings["SECRET_KEY"] = OLD
    [batch] = installation.json("batch", str(installation.csv("people.csv", [(old, new)])))
    id_: str = batch["rows"][0]["id"]
    return id_


def test_an_import_that_was_submitted_under_the_old_key_ends_under_the_new_one(
    installation: Installation, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser
) -> None:
    row = submitted(installation, make_user(old_host), make_user(new_host))
    installation.settings["SECRET_KEY"] = f"{NEW},{OLD}"
    assert installation.run("keys", "rotate").stdout
    installation.settings["SECRET_KEY"] = NEW
    installation.run("keys", "show")
    with installation.worker():
        assert at_rest(installation, row).state is State.COMPLETE


def test_without_it_the_retired_key_is_missed(
    installation: Installation, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser
) -> None:
    """What the first test shows is not shown by a worker that opens anything."""
    row = submitted(installation, make_user(old_host), make_user(new_host))
    installation.settings["SECRET_KEY"] = NEW
    with installation.worker():
        waits = at_rest(installation, row)
    assert waits.problem is not None
    assert (waits.state, waits.problem.code) == (State.WAITING, "key_missing")
