"""Threads that write at the same time share a transaction, and notice nothing of each other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import event, text

from importer.adapters.store import SqlStore
from importer.ports.leases import Lease, LeaseLost
from tests.rehearsal.database_counts import counting
from tests.rehearsal.ports import PATIENCE_S, wait_until

TTL = timedelta(minutes=5)


class Desk:
    """A store, and threads that write under a lease while another one holds the turn."""

    def __init__(self, url: str, threads: ThreadPoolExecutor) -> None:
        self.store = SqlStore.open(url)
        self.threads = threads
        lease = self.store.acquire("mailbox", "test", TTL)
        assert lease is not None
        self.lease: Lease = lease

    def write(self, name: str, lease: Lease | None = None, fail: Callable[[], None] = lambda: None) -> None:
        with self.store.writing(lease or self.lease) as connection:
            connection.execute(
                text("INSERT INTO routes (route, mailbox_epoch) VALUES (:name, 1)"), {"name": name}
            )
            fail()

    def names(self) -> set[str]:
        with self.store.reading() as connection:
            return set(connection.execute(text("SELECT route FROM routes")).scalars())

    def queued(self, *writes: Callable[[], None]) -> list[Future[None]]:
        """Begin a write, have the others wait for their turn in this order, then let all of them go on."""
        begun, go = threading.Event(), threading.Event()

        def first() -> None:
            begun.set()
            go.wait(PATIENCE_S)

        started = [self.threads.submit(self.write, "first", None, first)]
        begun.wait(PATIENCE_S)
        for number, write in enumerate(writes, 1):
            started.append(self.threads.submit(write))
            assert wait_until(lambda: self.store._group_commit._waiting >= number)  # noqa: B023
        go.set()
        return started


@pytest.fixture
def desk(url: str) -> Iterator[Desk]:
    with ExitStack() as ends:
        desk = Desk(url, ends.enter_context(ThreadPoolExecutor(12)))
        ends.callback(desk.store.close)
        yield desk


def test_threads_that_wait_are_committed_together(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importer.adapters.store.group_commit.LONGEST_S", PATIENCE_S)
    with counting(desk.store.engine) as counts:
        for write in desk.queued(*[lambda n=n: desk.write(f"name {n}") for n in range(8)]):
            write.result(PATIENCE_S)
        assert counts.writes == 1
    assert desk.names() == {"first", *(f"name {n}" for n in range(8))}


def test_a_write_is_durable_when_it_returns(desk: Desk) -> None:
    def check(name: str) -> None:
        desk.write(name)
        assert name in desk.names()

    for write in desk.queued(*[lambda n=n: check(f"name {n}") for n in range(8)]):
        write.result(PATIENCE_S)


def test_a_write_that_fails_undoes_itself_only(desk: Desk) -> None:
    def fail() -> None:
        raise KeyError("mine")

    lost = Lease(desk.lease.name, desk.lease.owner, desk.lease.fence + 1)
    writes = desk.queued(
        lambda: desk.write("before"),
        lambda: desk.write("failed", fail=fail),
        lambda: desk.write("lost", lost),
        lambda: desk.write("first"),  # the key exists
        lambda: desk.write("after"),
    )
    errors = [type(write.exception(20)) for write in writes]
    assert errors[1:4] == [type(None), KeyError, LeaseLost]
    assert errors[4].__name__ == "IntegrityError"
    assert errors[5] is type(None)
    assert desk.names() == {"first", "before", "after"}


def test_a_first_write_that_fails_leaves_the_turn_to_the_others(desk: Desk) -> None:
    def fail() -> None:
        raise KeyError("mine")

    for _ in range(3):
        with pytest.raises(KeyError):
            desk.write("failed", fail=fail)
    desk.write("after")
    assert desk.names() == {"after"}


def test_all_writes_of_a_commit_that_fails_raise(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importer.adapters.store.group_commit.LONGEST_S", PATIENCE_S)
    with _commits_fail(desk):
        writes = desk.queued(*[lambda n=n: desk.write(f"name {n}") for n in range(4)])
        assert {type(write.exception(20)) for write in writes} == {OSError}
    assert desk.names() == set()
    desk.write("after")
    assert desk.names() == {"after"}


@contextmanager
def _commits_fail(desk: Desk) -> Iterator[None]:
    def fail(_: object) -> None:
        raise OSError("full")

    event.listen(desk.store.engine, "commit", fail)
    try:
        yield
    finally:
        event.remove(desk.store.engine, "commit", fail)


def test_many_threads_lose_nothing(desk: Desk) -> None:
    def work(thread: int) -> None:
        for n in range(20):
            desk.write(f"{thread} {n}")

    for done in [desk.threads.submit(work, thread) for thread in range(8)]:
        done.result(PATIENCE_S)
    assert len(desk.names()) == 160
