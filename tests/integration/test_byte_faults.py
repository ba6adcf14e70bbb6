"""Faults at any byte between the engine and real servers: no message is lost or duplicated.

For every way of appending, on Dovecot and on Cyrus, a clean run records the bytes on the wire. The same
copy is then repeated, each time with one fault at another byte: at the edges of literals, their headers,
tagged responses and APPENDUIDs, and at random offsets. The independent checker compares the multisets of
messages on both sides.

MAILHAUL_TEST_OFFSETS sets how many offsets are tried for each way (0: every edge and as many random ones;
default 2, and 6 in `make soak`). MAILHAUL_TEST_SEED selects them.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from importer.adapters.imap import fetch, reconnecting
from importer.domain.model import Import, State
from importer.domain.planning.retry_limits import MAX_READ_ATTEMPTS
from importer.engine.leg_context import TransferLimits
from tests.conftest import MakeUser
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.checker import Mailbox, compare
from tests.rehearsal.copier import Copier, copier
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.fault_proxy import Fault, FaultProxy, Kind, Shape, Toward, fault_proxy
from tests.rehearsal.fill import INBOX, Stored
from tests.rehearsal.hosts import RehearsalHost, User
from tests.sampling import SEED, fewer

OFFSETS = int(
    os.environ.get("MAILHAUL_TEST_OFFSETS", fewer("offsets of each byte-fault sweep", test=2, soak=6))
)
SHAPES = {
    "multiappend, literal+": Shape(),
    "multiappend, literal+, no uidplus": Shape(("UIDPLUS",)),
    "multiappend, synchronising": Shape(("LITERAL+",)),
    "pipelined literal+": Shape(("MULTIAPPEND",)),
    "pipelined literal+, no uidplus": Shape(("MULTIAPPEND", "UIDPLUS")),
    "literal-": Shape(("MULTIAPPEND", "LITERAL+"), ("LITERAL-",)),
    "synchronising": Shape(("MULTIAPPEND", "LITERAL+")),
    "synchronising, no uidplus": Shape(("MULTIAPPEND", "LITERAL+", "UIDPLUS")),
}
KINDS: tuple[Kind, ...] = ("stall", "delay", "throttle")
APPEND, FETCH = b" APPEND ", b" BODY.PEEK[]"
PACE = TransferLimits(batch_messages=3)


def _message(number: int, size_bytes: int, *, identified: bool = True, flags: Sequence[str] = ()) -> Stored:
    head = b"Message-ID: <%d@old.example>\r\n" % number if identified else b""
    body = (b"%d %d\r\n" % (number, size_bytes) + b"0123456789abcdef\xfc\r\n" * (size_bytes // 19)) or b""
    content = head + b"Subject: number %d\r\nFrom: ada@old.example\r\n\r\n" % number + body
    return Stored(INBOX, tuple(flags), datetime(2020, 1, 1 + number % 28, tzinfo=UTC), content)


MAIL = (
    _message(1, 40, flags=["\\Seen"]),
    _message(2, 5_000),
    _message(3, 0, identified=False),
    _message(3, 0, identified=False),  # an exact duplicate
    _message(4, 9_000, flags=["\\Flagged", "work"]),
    _message(5, 100),
)


@dataclass(frozen=True, slots=True)
class Bench:
    """A filled source on one host, and the checker's snapshot of it."""

    copier: Copier
    host: RehearsalHost
    source: User
    held: Mailbox

    def copy_to(
        self, new: User, host: RehearsalHost, shape: Shape, trigger: bytes | None, fault: Fault | None
    ) -> FaultProxy:
        """Run one copy through a proxy before the destination. Fails if the checker finds a difference."""
        with fault_proxy(host.starttls, shape, trigger=trigger, faults=[fault] if fault else []) as proxy:
            ended = self.copier.copy(
                self.source,
                new,
                destination=proxy.endpoint,
                settle=proxy.settle,
                pace=PACE,
                io_s=_patience_s(fault),
            )
            proxy.settle()
        self._judge(new, ended, fault)
        return proxy

    def copy_from(self, new: User, trigger: bytes | None, fault: Fault | None) -> FaultProxy:
        """Run one copy through a proxy before the source. Fails if the checker finds a difference."""
        with fault_proxy(self.host.starttls, trigger=trigger, faults=[fault] if fault else []) as proxy:
            ended = self.copier.copy(
                self.source, new, source=proxy.endpoint, pace=PACE, io_s=_patience_s(fault)
            )
        self._judge(new, ended, fault)
        return proxy

    def _judge(self, new: User, ended: Import, fault: Fault | None) -> None:
        assert compare(self.held, new.read(), zones=False, subscriptions=False) == [], fault
        assert ended.state is State.COMPLETE, (fault, ended.problem)


def _patience_s(fault: Fault | None) -> float:
    return 0.8 if fault and fault.kind == "stall" else 20.0


@pytest.fixture(scope="module")
def own_copier(tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority) -> Iterator[Copier]:
    with copier(tmp_path_factory.mktemp("copier"), ca.ca_file) as made:
        yield made


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "pause", lambda _losses: None)
    monkeypatch.setattr(reconnecting, "pause", lambda _losses: None)


@pytest.fixture(scope="module")
def bench(own_copier: Copier, old_host: Dovecot, make_user: MakeUser) -> Bench:
    return _filled(own_copier, old_host, make_user)


def _filled(own_copier: Copier, host: RehearsalHost, make_user: MakeUser) -> Bench:
    source = make_user(host)
    source.fill(MAIL)
    return Bench(own_copier, host, source, source.read())


# --- Fault offsets -------------------------------------------------------------------------------------


def edges(stream: bytes) -> list[int]:
    """Offsets at the edges of protocol elements: lines, literal headers, literals, [APPENDUID]."""
    offsets = {0, 1, len(stream) - 1}
    at = 0
    while at < len(stream):
        end = stream.find(b"\r\n", at) + 2
        if end == 1:
            break
        offsets |= {at, at + 1, (at + end) // 2, end - 2, end - 1, end}
        line = stream[at:end]
        offsets |= {
            at + match.start() + n
            for match in re.finditer(rb"\[APPENDUID |\{[0-9]+\+?\}", line)
            for n in (0, 1)
        }
        offsets |= {
            at + match.end() - 1 for match in re.finditer(rb"\[APPENDUID [^\]]*\]|\{[0-9]+\+?\}", line)
        }
        at = end
        if literal := re.search(rb"\{([0-9]+)\+?\}\r\n\Z", line):
            size = int(literal[1])
            offsets |= {at + n for n in (1, size // 2, size - 1, size) if 0 <= n <= size}
            at += size
    return sorted(offset for offset in offsets if 0 <= offset < len(stream))


def faults(streams: dict[Toward, bytearray], seed: str) -> list[Fault]:
    """The faults to try: each edge in both directions and as many random offsets, or OFFSETS of them."""
    chance = random.Random(f"{seed} {SEED}")
    every: list[Fault] = []
    for toward, stream in streams.items():
        offsets = edges(bytes(stream))
        offsets += [chance.randrange(len(stream)) for _ in offsets]
        every += [Fault("cut", toward, at) for at in offsets]
        every += [Fault(chance.choice(KINDS), toward, at) for at in chance.sample(offsets, len(offsets) // 4)]
    return chance.sample(every, min(OFFSETS, len(every))) if OFFSETS else every


def _run_faults(tried: Sequence[Fault], run: Callable[[Fault], FaultProxy]) -> None:
    fired = [fault for fault in tried if run(fault).fired]
    assert len(tried) - len(fired) <= max(1, len(tried) * 0.2), "too many faults did not fire"


# --- The sweeps ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("to", ["new_host", "cyrus_host"])
def test_appends_survive_a_fault_at_any_byte(
    bench: Bench, make_user: MakeUser, request: pytest.FixtureRequest, to: str, shape: str
) -> None:
    host = request.getfixturevalue(to)
    clean = bench.copy_to(make_user(host), host, SHAPES[shape], APPEND, None)
    assert clean.heard["server"].count(b"number 1") == 1
    assert (b"APPENDUID" in clean.heard["client"]) == ("UIDPLUS" not in SHAPES[shape].hidden)
    _run_faults(
        faults(clean.heard, f"{to} {shape}"),
        lambda fault: bench.copy_to(make_user(host), host, SHAPES[shape], APPEND, fault),
    )


@pytest.mark.parametrize("origin", ["old_host", "cyrus_host"])
def test_fetches_survive_a_fault_at_any_byte(
    own_copier: Copier, new_host: Dovecot, make_user: MakeUser, request: pytest.FixtureRequest, origin: str
) -> None:
    bench = _filled(own_copier, request.getfixturevalue(origin), make_user)
    clean = bench.copy_from(make_user(new_host), FETCH, None)
    assert b"number 1" in clean.heard["client"]
    _run_faults(faults(clean.heard, origin), lambda fault: bench.copy_from(make_user(new_host), FETCH, fault))


@pytest.mark.parametrize("to", ["new_host", "cyrus_host"])
def test_a_whole_connection_survives_a_fault_at_any_byte(
    bench: Bench, make_user: MakeUser, request: pytest.FixtureRequest, to: str
) -> None:
    host = request.getfixturevalue(to)
    clean = bench.copy_to(make_user(host), host, Shape(), None, None)
    _run_faults(
        faults(clean.heard, to), lambda fault: bench.copy_to(make_user(host), host, Shape(), None, fault)
    )


# --- Many faults, several lanes ------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["new_host", "cyrus_host"])
def test_successive_faults_on_both_sides_with_several_lanes(
    own_copier: Copier, old_host: Dovecot, make_user: MakeUser, request: pytest.FixtureRequest, to: str
) -> None:
    """Random faults, some of which fire while earlier ones are still being settled."""
    host = request.getfixturevalue(to)
    source = make_user(old_host)
    extra = (_message(number, 37 * number % 4_000) for number in range(10, 50))
    source.fill([*MAIL, *(replace(message, folder=("Box",)) for message in extra)])
    held = source.read()
    chance = random.Random(f"{to} {SEED}")
    fired = rounds = 0
    while rounds < (OFFSETS or 100) or fired < rounds < 100:  # a plan may hold no faults
        rounds += 1
        new = make_user(host)
        shape = SHAPES[chance.choice(list(SHAPES))]
        pace = TransferLimits(batch_messages=chance.choice((1, 3, 7, 100)), lanes=chance.choice((1, 2, 4)))
        # A message whose connection is lost MAX_READ_ATTEMPTS times in a row counts as broken.
        plan = [_random_faults(chance, maximum) for maximum in (MAX_READ_ATTEMPTS - 1, 3)]
        with (
            fault_proxy(old_host.starttls, trigger=chance.choice((None, FETCH)), faults=plan[0]) as before,
            fault_proxy(host.starttls, shape, trigger=chance.choice((None, APPEND)), faults=plan[1]) as after,
        ):
            run = partial(
                own_copier.copy,
                source,
                new,
                source=before.endpoint,
                destination=after.endpoint,
                settle=after.settle,
                pace=pace,
                io_s=1.0,
            )
            for _ in range(2):  # the second run must find nothing new
                ended = run(leg=chance.choice((timedelta(milliseconds=100), timedelta(days=1))))
                after.settle()
                refusals = list(own_copier.deps.store.refusals(ended.id))
                context = (shape, pace, plan, ended.problem, refusals)
                assert compare(held, new.read(), zones=False, subscriptions=False) == [], context
                assert ended.state is State.COMPLETE, context
        fired += before.fired + after.fired
    assert fired >= (OFFSETS or 100)


def _random_faults(chance: random.Random, maximum: int) -> list[Fault]:
    """Zero to `maximum` faults, at log-uniform offsets."""
    return [
        Fault(
            chance.choice(("cut", "cut", "cut", *KINDS)),
            chance.choice(("server", "client")),
            int(10 ** chance.uniform(0, 4.2)),
        )
        for _ in range(chance.randint(0, maximum))
    ]
