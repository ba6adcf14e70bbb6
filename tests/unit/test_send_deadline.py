"""When the holder of a lease stops sending, and what it may have sent by then."""

from __future__ import annotations

import select
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from importer.adapters.imap.fenced_sender import FencedSender
from importer.ports.leases import Lease, LeaseLost
from importer.service.legs.heartbeat import SENDING_SHARE, Heartbeat
from importer.system_clock import SystemClock
from tests.rehearsal.ports import PATIENCE_S, wait_until

TTL = timedelta(seconds=0.6)
LEASE = Lease("mailbox", "worker", 1)


class HandClock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.s = 1000.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def elapsed_s(self) -> float:
        return self.s

    def sleep(self, seconds: float) -> None:
        self.s += seconds


class Answers:
    """Leases of one holder; each renewal is answered by `answer`."""

    def __init__(self, answer: Callable[[], bool]) -> None:
        self.answer = answer
        self.asked = threading.Semaphore(0)
        self.released: list[Lease] = []

    def acquire(self, name: str, owner: str, ttl: timedelta) -> Lease | None:
        raise NotImplementedError

    def renew(self, lease: Lease, ttl: timedelta) -> bool:
        try:
            return self.answer()
        finally:
            self.asked.release()

    def holder(self, name: str) -> str | None:
        raise NotImplementedError

    def release(self, lease: Lease) -> None:
        self.released.append(lease)

    def wait_for_renewals(self, number: int) -> None:
        for _ in range(number):
            assert self.asked.acquire(timeout=PATIENCE_S)


def unreachable() -> bool:
    raise OSError("no route to the database")


def heartbeat(answers: Answers, clock: HandClock, ttl: timedelta = TTL) -> Heartbeat:
    return Heartbeat(answers, [LEASE], clock, ttl, asked_at_s=clock.elapsed_s())


def test_the_right_to_send_ends_before_the_lease_by_the_holders_own_clock() -> None:
    clock, long = HandClock(), timedelta(seconds=60)
    with heartbeat(Answers(lambda: True), clock, long) as beat:
        clock.s += 60 * SENDING_SHARE - 0.1
        beat.check()
        clock.s += 0.1
        with pytest.raises(LeaseLost):
            beat.check()


def test_it_counts_from_before_the_question_not_from_the_answer() -> None:
    """Whatever time the round trip took, the store began to count later."""
    clock = HandClock()

    def slow() -> bool:
        clock.s += 0.5 * TTL.total_seconds()
        answers.answer = unreachable  # from the next one on
        return True

    answers = Answers(slow)
    asked_at_s = clock.s
    with heartbeat(answers, clock) as beat:
        answers.wait_for_renewals(2)
        clock.s = asked_at_s + SENDING_SHARE * TTL.total_seconds()
        with pytest.raises(LeaseLost):
            beat.check()


def test_a_renewal_moves_the_deadline() -> None:
    clock = HandClock()
    answers = Answers(lambda: True)
    with heartbeat(answers, clock) as beat:
        for _ in range(4):
            clock.s += 0.4 * TTL.total_seconds()
            answers.wait_for_renewals(2)  # the second was asked after the clock moved
            beat.check()


def test_a_store_that_does_not_answer_for_a_moment_costs_nothing() -> None:
    answers = Answers(unreachable)
    clock = HandClock()
    with heartbeat(answers, clock) as beat:
        answers.wait_for_renewals(3)
        beat.check()
        answers.answer = lambda: True
        answers.wait_for_renewals(2)
        beat.check()


def test_the_deadline_cuts_although_the_store_hangs_and_the_sender_is_blocked() -> None:
    hangs, cut = threading.Event(), threading.Event()
    clock = HandClock()
    answers = Answers(lambda: hangs.wait(PATIENCE_S))
    with heartbeat(answers, clock) as beat:
        beat.when_lost(cut.set)
        assert not cut.wait(0.05)
        clock.s += 60
        assert cut.wait(PATIENCE_S)
        with pytest.raises(LeaseLost):
            beat.check()
        hangs.set()


def test_a_refused_renewal_cuts_at_once() -> None:
    cut = threading.Event()
    with heartbeat(Answers(lambda: False), HandClock()) as beat:
        beat.when_lost(cut.set)
        assert cut.wait(PATIENCE_S)
        with pytest.raises(LeaseLost):
            beat.check()


def test_what_was_lost_does_not_come_back() -> None:
    """Connections are cut by then, and somebody else may have looked at the mailbox meanwhile."""
    clock = HandClock()
    answers = Answers(lambda: True)
    late: list[str] = []
    with heartbeat(answers, clock) as beat:
        clock.s += 60
        with pytest.raises(LeaseLost):
            beat.check()
        answers.wait_for_renewals(2)
        with pytest.raises(LeaseLost):
            beat.check()
        beat.when_lost(lambda: late.append("cut"))
    assert late == ["cut"]
    assert answers.released == [LEASE]


# --- The clock ------------------------------------------------------------------------------------


def test_the_clock_runs_ahead_with_the_wall_clock_and_never_goes_back() -> None:
    """A virtual machine that its host had stopped learns of it only when its wall clock is set."""
    steady, wall = 100.0, 5000.0
    clock = SystemClock(lambda: steady, lambda: wall)
    began = clock.elapsed_s()
    steady, wall = steady + 1, wall + 1
    assert clock.elapsed_s() - began == 1
    wall += 78  # resumed
    assert clock.elapsed_s() - began == 79
    wall -= 500  # set back
    assert clock.elapsed_s() - began == 79
    steady += 1
    assert clock.elapsed_s() - began == 80


# --- The socket -----------------------------------------------------------------------------------


@pytest.fixture
def line() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection over which nobody reads yet."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname(), timeout=PATIENCE_S)
        far, _ = listener.accept()
        with near, far:
            yield near, far


def drained(far: socket.socket) -> tuple[int, str]:
    """How many bytes still arrive, and how that ends."""
    received = 0
    try:
        while data := far.recv(1 << 20):
            received += len(data)
    except ConnectionResetError:
        return received, "reset"
    except TimeoutError:
        return received, "silence"
    return received, "end"


def test_nothing_is_sent_after_the_deadline_not_even_what_the_system_holds(
    line: tuple[socket.socket, socket.socket],
) -> None:
    near, far = line
    passed = threading.Event()
    looks = 0

    def check() -> None:
        nonlocal looks
        looks += 1
        if passed.is_set():
            raise LeaseLost

    sender = FencedSender(near)
    sender.fence(check)

    def send() -> None:
        with pytest.raises(LeaseLost):
            sender.sendall(bytes(50 << 20))

    stuck = threading.Thread(target=send)
    stuck.start()
    assert wait_until(lambda: looks > 0 and not select.select([], [near], [], 0)[1])  # it is blocked
    passed.set()
    far.settimeout(PATIENCE_S)
    received = len(far.recv(1 << 20))  # it wakes up
    stuck.join(PATIENCE_S)
    assert not stuck.is_alive()
    near.close()
    more, ended = drained(far)
    assert ended == "reset"
    assert received + more < 8 << 20


def test_the_operating_system_holds_little_of_what_is_sent(
    line: tuple[socket.socket, socket.socket],
) -> None:
    """It would go on sending while the process is frozen."""
    near, far = line
    sender = FencedSender(near)
    sender.fence(lambda: None)
    near.settimeout(0.3)
    with pytest.raises(TimeoutError):
        sender.sendall(bytes(50 << 20))
    far.settimeout(0.5)
    held, ended = drained(far)
    assert ended == "silence"
    assert held < 1 << 20


class BusyLine(socket.socket):
    """The operating system always holds some bytes of it. Counts the calls of `send`."""

    sends = 0

    def getsockopt(self, *_question: Any) -> Any:
        return struct.pack("=144xI44x", 64 << 10)  # tcpi_notsent_bytes (linux/tcp.h)

    def send(self, *arguments: Any) -> int:
        self.sends += 1
        return super().send(*arguments)


@pytest.mark.skipif(sys.platform != "linux", reason="reads struct tcp_info of Linux")
def test_a_slow_line_without_tls_costs_few_writes(line: tuple[socket.socket, socket.socket]) -> None:
    """Each write, and each wait before it, lets other threads run."""
    near, far = line
    size_bytes = 8 << 20
    with BusyLine(fileno=near.detach()) as busy, ThreadPoolExecutor(1) as reader:
        busy.settimeout(PATIENCE_S)
        sender = FencedSender(busy)
        sender.fence(lambda: None)
        reading = reader.submit(drained, far)
        sender.sendall(bytes(size_bytes))
        sender.end_gracefully()
        busy.shutdown(socket.SHUT_WR)
        assert reading.result(PATIENCE_S) == (size_bytes, "end")
    assert busy.sends < 200  # 512 in pieces of one TLS record, 86 if the line takes what it has room for


def test_without_a_fence_everything_is_sent_and_delivered(
    line: tuple[socket.socket, socket.socket],
) -> None:
    near, far = line
    sender = FencedSender(near)
    sender.sendall(b"a")
    sender.fence(lambda: None)
    sender.sendall(b"b" * 100_000)
    sender.end_gracefully()
    near.close()
    assert drained(far) == (100_001, "end")
