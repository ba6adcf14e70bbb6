"""A backoff that a host demands of our address applies to all of its accounts and to no other host."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.conftest import MakeUser
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.hosts import User
from tests.rehearsal.imitations.exchange import Exchange
from tests.rehearsal.imitations.server import Imitation, imitation
from tests.rehearsal.installation import Installation
from tests.rehearsal.ports import PATIENCE_S, wait_until
from tests.rehearsal.processes import kill_group
from tests.rehearsal.valkey import Valkey

PAUSE_S = 30
DATE = "02-Feb-2003 04:05:06 +0000"


def with_mail(server: Imitation, user: User) -> User:
    """A user of the imitation with one message, at a host name of its own."""
    mailbox = server.mailbox(user.account.login)
    mailbox.append(mailbox.folders["INBOX"], (), DATE, b"Subject: one\r\n\r\nHello\r\n")
    return replace(user, account=replace(user.account, endpoint=replace(server.imaps, host="127.0.0.1")))


def test_a_second_account_of_the_host_waits_out_the_backoff_while_another_host_continues(
    tmp_path: Path,
    ca: CertificateAuthority,
    make_user: MakeUser,
    old_host: Dovecot,
    new_host: Dovecot,
    valkey_server: Valkey,
) -> None:
    settings = {
        "CA_FILE": str(ca.ca_file),
        "REDIS_URL": valkey_server.url,
        "TICK_SECONDS": "1",
        "WORKER_THREADS": "1",
        "LOG_FORMAT": "json",
        "LEASE_SECONDS": "5",
    }
    installation = Installation(tmp_path, settings)
    with imitation(Exchange(), tmp_path, ca) as server:
        server.turns_away(
            f"BYE Too many connections from your IP. Suggested Backoff Time: {PAUSE_S * 1000} milliseconds"
        )
        elsewhere = make_user(old_host)
        routes = [(with_mail(server, make_user(server)), make_user(new_host)) for _ in range(2)]
        rows = [*routes, (elsewhere, make_user(new_host))]
        [submitted] = installation.json("batch", str(installation.csv("all.csv", rows)))

        def imports_by_address() -> dict[str, Any]:
            imports = installation.json("show", submitted["batch_id"])
            return {import_["source"]["address"]: import_ for import_ in imports}

        def states() -> list[str]:
            now = imports_by_address()
            return [now[old.account.address]["state"] for old, _ in rows]

        worker = installation.start_worker()
        assert wait_until(lambda: states() == ["waiting", "waiting", "complete"], timeout_s=PATIENCE_S)
        kill_group(worker)
        with installation.worker():  # the backoff outlives the worker that received it
            first, second = (imports_by_address()[old.account.address] for old, _ in routes)
            assert first["problem"] == second["problem"]
            assert first["problem"]["code"] == "throttled"
            assert "accepts no logins at the moment" in first["problem"]["message"]
            assert first["not_before"] == second["not_before"]
            assert len(server.connected_at) == 1
            assert wait_until(lambda: states() == ["complete"] * 3, timeout_s=PATIENCE_S)
    refused_at, next_at, *_ = server.connected_at
    assert PAUSE_S <= next_at - refused_at + 0.1 < PAUSE_S + 60  # the worker has to start again meanwhile
    legs = [json.loads(line) for line in installation.log().splitlines() if '"leg.finished"' in line]
    assert datetime.fromisoformat(first["not_before"])
    assert sum(leg["problem"] == "throttled" for leg in legs) == 2
