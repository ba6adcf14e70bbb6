"""A refused password ends an import at once, whatever the other host does, and the host sees one login."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from time import monotonic

import pytest

from importer.adapters.imap.factory import ImapSessions
from importer.adapters.imap.imapclient_adapter import Timeouts
from importer.domain.csv_import.import_rows import Row
from importer.domain.model import Account, Import, State
from importer.domain.people.actor import Actor
from importer.service.imports.submit import submit
from importer.service.legs import connections
from providers.endpoint import Endpoint, Secret, Security
from providers.errors import Side
from tests.rehearsal.ports import free_ports, wait_until
from tests.rehearsal.scripted import DRIP, Answer, ScriptedServer, scripted_server
from tests.unit.test_service import Office

REFUSED = b"TAG NO [AUTHENTICATIONFAILED] wrong password\r\n"
SLOW = Timeouts(connect_s=120, io_s=120)
"""A host that does not answer is waited for up to a minute."""

LEGS = 8
"""More than an import without a working login gets."""


def refuse(command: str) -> bytes | None:
    return REFUSED if command == "CREDENTIALS" else None


def _at_login(answer: bytes) -> Answer:
    return lambda command: answer if command == "CREDENTIALS" else None


FAULTS = {
    "hangs up": _at_login(b"* BYE go away\r\n"),
    "is busy": _at_login(b"TAG NO [UNAVAILABLE] later\r\n"),
    "asks for a pause": _at_login(b"TAG NO [LIMIT] too many logins\r\n"),
    "answers nonsense": _at_login(b"\xff{{{\r\nTAG WHAT\r\n"),
    "trickles": _at_login(DRIP + b"* OK still here\r\n"),
    "stalls": _at_login(b""),
    "lets in": lambda _command: None,
}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as entered:
        yield entered


@pytest.fixture
def serve(stack: ExitStack) -> Callable[[Answer], ScriptedServer]:
    return lambda answer: stack.enter_context(scripted_server(answer))


def account(name: str, endpoint: Endpoint) -> Account:
    return Account(f"{name}@mail.example", name, endpoint)


def logins(server: ScriptedServer) -> int:
    return server.commands.count("CREDENTIALS")


def run(old: Endpoint, new: Endpoint) -> tuple[Import, Office]:
    """Submit an import and work on it as long as it goes on."""
    office = Office()
    office.deps = replace(office.deps, sessions=ImapSessions(timeouts=SLOW))
    row = Row(1, account("old", old), Secret("one"), account("new", new), Secret("two"))
    [submitted] = submit(office.deps, Actor(), [row]).rows
    import_ = submitted.import_
    for _ in range(LEGS):
        import_ = office.work(import_.id)
        if import_.finished_at is not None:
            break
    return import_, office


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_refused_password_decides_whatever_the_other_host_does(
    serve: Callable[[Answer], ScriptedServer], side: Side, fault: str
) -> None:
    refusing, other = serve(refuse), serve(FAULTS[fault])
    ends = (refusing, other) if side is Side.SOURCE else (other, refusing)
    began = monotonic()
    import_, office = run(ends[0].endpoint, ends[1].endpoint)
    assert monotonic() - began < SLOW.io_s / 2  # a busy machine, but no timeout
    assert import_.state is State.STOPPED
    assert import_.problem is not None
    assert (import_.problem.code, import_.problem.side) == ("login_rejected", side)
    assert logins(refusing) == 1
    assert office.store.grants(import_.id) is None


def test_a_refused_password_decides_if_the_other_host_cannot_be_reached(
    serve: Callable[[Answer], ScriptedServer],
) -> None:
    refusing = serve(refuse)
    import_, _ = run(Endpoint("localhost", free_ports()[0], Security.PLAINTEXT), refusing.endpoint)
    assert import_.problem is not None
    assert (import_.problem.code, import_.problem.side) == ("login_rejected", Side.DESTINATION)
    assert logins(refusing) == 1


def test_a_pause_that_the_other_host_asked_for_is_kept(
    serve: Callable[[Answer], ScriptedServer],
) -> None:
    """Also if it does not decide how this leg ends."""
    import_, office = run(serve(FAULTS["asks for a pause"]).endpoint, serve(refuse).endpoint)
    names = [f"account {import_.source.key}", f"connecting account {import_.source.key}"]
    assert office.store.backoff(names, office.clock.now()) is not None


def test_a_login_that_comes_too_late_is_closed_and_releases_its_slots(
    serve: Callable[[Answer], ScriptedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "VERDICT_GRACE_S", 0.01)
    answers: list[bytes] = []

    def late(command: str) -> bytes | None:
        if command == "CREDENTIALS":
            assert wait_until(lambda: bool(answers))
        return None

    slow = serve(late)
    import_, office = run(slow.endpoint, serve(refuse).endpoint)
    assert import_.state is State.STOPPED
    wanted = [("host localhost", 1)]
    assert not office.store.acquire_slots("another", wanted, office.clock.now(), office.deps.deadlines.lease)
    answers.append(b"go on")
    assert wait_until(lambda: "LOGOUT" in slow.commands)
    assert wait_until(
        lambda: office.store.acquire_slots(
            "another", wanted, office.clock.now(), office.deps.deadlines.lease
        ),
    )
