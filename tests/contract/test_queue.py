"""The contract of the queue: rings are delivered when possible, and a lost ring does no harm."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Protocol

import dramatiq
import dramatiq.worker
import pytest
import redis
from dramatiq import Worker
from structlog.testing import capture_logs

from importer.adapters.queue.embedded_valkey import EmbeddedQueueFailed, EmbeddedValkey, running_url
from importer.adapters.queue.redis_queue import (
    LONGEST_DELAY,
    DoorbellBroker,
    DramatiqQueue,
    QueueUnavailable,
    make_broker,
)
from importer.domain.model import ImportId
from importer.ports.process import Queue
from importer.ports.queue_names import LEGS, MAIL, RUN_LEG, SEND_MAIL
from tests.fakes.queue import MemoryQueue
from tests.rehearsal.ports import PATIENCE_S, wait_until
from tests.rehearsal.valkey import Valkey, end_embedded, valkey

ONE, TWO = ImportId("import-one"), ImportId("import-two")


@dataclass
class Recorder:
    """A Dramatiq worker that records the rings it receives. Its threads stay busy while `free` is cleared."""

    broker: DoorbellBroker
    received: list[str] = field(default_factory=list)
    free: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        self.free.set()

        def run_leg(import_id: str) -> None:
            self.received.append(import_id)
            self.free.wait(PATIENCE_S)

        def send_mail() -> None:
            self.received.append("mail")

        dramatiq.actor(broker=self.broker, actor_name=RUN_LEG, queue_name=LEGS)(run_leg)
        dramatiq.actor(broker=self.broker, actor_name=SEND_MAIL, queue_name=MAIL)(send_mail)

    @contextmanager
    def listening(self) -> Iterator[None]:
        worker = Worker(self.broker, worker_timeout=50, worker_threads=2)
        worker.queue_prefetch = 2
        worker.start()
        try:
            yield
        finally:
            self.free.set()
            worker.stop(timeout=10_000)

    def wait_for(self, count: int) -> list[str]:
        wait_until(lambda: len(self.received) >= count)
        time.sleep(0.15)  # long enough for a superfluous ring to arrive
        return sorted(self.received)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with valkey(tmp_path_factory.mktemp("valkey")) as running:
        yield running


@pytest.fixture
def clean(server: Valkey) -> Valkey:
    server.flush()
    return server


@pytest.fixture(autouse=True)
def quick_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Consumers that lost Redis reconnect after 0.1 s instead of 3 s."""
    monkeypatch.setattr(dramatiq.worker, "CONSUMER_RESTART_DELAY_SECS", 0.1)
    monkeypatch.setattr(dramatiq.worker, "POST_PROCESS_MESSAGE_RETRY_DELAY_SECS", 0.1)


# --- The contract, for every queue ----------------------------------------------------------------


class Received(Protocol):
    def __call__(self, count: int) -> list[str]: ...


@pytest.fixture(params=["memory", "valkey"])
def queue_and_received(request: pytest.FixtureRequest) -> Iterator[tuple[Queue, Received]]:
    if request.param == "memory":
        memory = MemoryQueue()
        yield memory, lambda count: sorted([*memory.take(), *["mail"] * memory.mail_rings])
        return
    running: Valkey = request.getfixturevalue("clean")
    recorder = Recorder(make_broker(running.url))
    with recorder.listening():
        yield DramatiqQueue(make_broker(running.url)), recorder.wait_for


def test_a_ring_is_delivered_with_its_id(queue_and_received: tuple[Queue, Received]) -> None:
    queue, received = queue_and_received
    queue.ring(ONE)
    queue.ring(TWO)
    assert received(2) == [ONE, TWO]


def test_two_rings_are_delivered_twice(queue_and_received: tuple[Queue, Received]) -> None:
    queue, received = queue_and_received
    queue.ring(ONE)
    queue.ring(ONE)
    assert received(2) == [ONE, ONE]


def test_mail_rings_are_delivered_separately(queue_and_received: tuple[Queue, Received]) -> None:
    queue, received = queue_and_received
    queue.ring_mail()
    queue.ring(ONE)
    assert received(2) == [ONE, "mail"]


def test_rings_with_a_short_or_negative_delay_are_delivered(
    queue_and_received: tuple[Queue, Received],
) -> None:
    queue, received = queue_and_received
    queue.ring(ONE, timedelta(milliseconds=200))
    queue.ring(TWO, timedelta(seconds=-5))
    assert received(2) == [ONE, TWO]


def test_the_memory_queue_records_delays_and_drops_taken_rings() -> None:
    queue = MemoryQueue()
    queue.ring(ONE, timedelta(minutes=3))
    assert queue.rings == [(ONE, timedelta(minutes=3))]
    assert queue.take() == [ONE]
    assert queue.take() == []


# --- On a real Valkey -------------------------------------------------------------------------------


def test_a_delayed_ring_arrives_after_its_delay(clean: Valkey) -> None:
    recorder, queue = Recorder(make_broker(clean.url)), DramatiqQueue(make_broker(clean.url))
    with recorder.listening():
        rung_at = time.monotonic()
        queue.ring(ONE, timedelta(seconds=0.6))
        assert recorder.wait_for(1) == [ONE]
        assert time.monotonic() - rung_at >= 0.6


def test_a_ring_beyond_the_longest_delay_is_not_put_into_redis(clean: Valkey) -> None:
    queue = DramatiqQueue(make_broker(clean.url))
    queue.ring(ONE, LONGEST_DELAY + timedelta(seconds=1))
    assert clean.client().keys("*") == []
    queue.ring(ONE, LONGEST_DELAY)
    assert clean.client().hlen("dramatiq:legs.DQ.msgs") == 1


def test_a_message_contains_only_the_import_id(clean: Valkey) -> None:
    queue = DramatiqQueue(make_broker(clean.url))
    queue.ring(ONE)
    queue.ring_mail()
    (leg,) = clean.client().hvals("dramatiq:legs.msgs")
    (mail,) = clean.client().hvals("dramatiq:mail.msgs")
    assert (json.loads(leg)["args"], json.loads(leg)["kwargs"]) == ([ONE], {})
    assert (json.loads(mail)["args"], json.loads(mail)["kwargs"]) == ([], {})
    assert set(json.loads(leg)["options"]) == {"redis_message_id"}


def test_rings_wait_for_a_worker_that_starts_later(clean: Valkey) -> None:
    DramatiqQueue(make_broker(clean.url)).ring(ONE)
    recorder = Recorder(make_broker(clean.url))
    with recorder.listening():
        assert recorder.wait_for(1) == [ONE]


def test_the_queue_does_not_retry_a_failed_leg(clean: Valkey) -> None:
    broker = make_broker(clean.url)
    runs: list[str] = []

    def run_leg(import_id: str) -> None:
        runs.append(import_id)
        raise RuntimeError("canary")

    dramatiq.actor(broker=broker, actor_name=RUN_LEG, queue_name=LEGS)(run_leg)
    worker = Worker(broker, worker_timeout=50, worker_threads=1)
    worker.start()
    try:
        DramatiqQueue(broker).ring(ONE)
        assert wait_until(lambda: len(runs) == 1)
        assert wait_until(lambda: not clean.client().keys("dramatiq:legs*"))  # no retry, no dead letter
        assert runs == [ONE]
    finally:
        worker.stop()


def test_a_flush_loses_rings_and_later_rings_are_delivered(clean: Valkey) -> None:
    recorder, queue = Recorder(make_broker(clean.url)), DramatiqQueue(make_broker(clean.url))
    queue.ring(ONE)
    clean.flush()
    with recorder.listening():
        assert recorder.wait_for(0) == []
        queue.ring(TWO)
        assert recorder.wait_for(1) == [TWO]
        recorder.free.clear()
        queue.ring(ONE)
        assert recorder.wait_for(2) == [ONE, TWO]
        clean.flush()  # in the middle of a leg
        recorder.free.set()
        queue.ring(ONE)
        assert recorder.wait_for(3) == [ONE, ONE, TWO]


def test_ringing_while_redis_is_down_is_logged_and_raises_nothing(tmp_path: Path) -> None:
    queue = DramatiqQueue(make_broker(f"unix://{tmp_path}/nobody.sock"))
    started = time.monotonic()
    with capture_logs() as logs:
        queue.ring(ONE)
        queue.ring_mail()
        queue.ring(ONE, timedelta(seconds=5))
    assert [(entry["event"], entry["actor"]) for entry in logs] == [
        ("queue.ring_failed", RUN_LEG),
        ("queue.ring_failed", SEND_MAIL),
        ("queue.ring_failed", RUN_LEG),
    ]
    assert time.monotonic() - started < PATIENCE_S / 4
    with pytest.raises(QueueUnavailable, match="queue_silent"):
        queue.ping()


def test_the_redis_password_is_not_shown_on_failure(clean: Valkey) -> None:
    url = clean.url.replace("unix://", "unix://nobody:canary@")
    queue = DramatiqQueue(make_broker(url))  # the server does not know the user: AUTH fails
    with capture_logs() as logs:
        queue.ring(ONE)
    with pytest.raises(QueueUnavailable) as caught:
        queue.ping()
    assert logs
    assert "canary" not in str(logs) + str(caught.value)


def test_a_worker_recovers_after_redis_hangs_or_is_killed(clean: Valkey) -> None:
    """The consumer holds delayed messages at that time, which ends the consumers of a plain RedisBroker."""
    recorder, queue = Recorder(make_broker(clean.url, timeout_s=0.3)), DramatiqQueue(make_broker(clean.url))
    with recorder.listening():
        queue.ring(ONE, timedelta(minutes=10))
        assert wait_until(lambda: clean.client().hlen("dramatiq:legs.DQ.msgs") == 1)
        time.sleep(0.3)  # the consumer holds it now
        clean.pause()
        time.sleep(1.0)
        clean.resume()
        queue.ring(ONE, timedelta(milliseconds=50))
        assert recorder.wait_for(1) == [ONE]
        clean.restart()
        time.sleep(0.3)
        queue.ring(TWO, timedelta(milliseconds=50))
        assert recorder.wait_for(2) == [ONE, TWO]
        DramatiqQueue(recorder.broker).ping()


# --- Embedded ---------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def nothing_left_behind(tmp_path: Path) -> Iterator[None]:
    """Stop the server that a failed test may have left running."""
    yield
    end_embedded(tmp_path)


def test_the_embedded_valkey_keeps_rings_across_a_restart(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as url:
        DramatiqQueue(make_broker(url)).ring(ONE)
    assert running_url(tmp_path) is None
    with EmbeddedValkey(tmp_path) as url:
        recorder = Recorder(make_broker(url))
        with recorder.listening():
            assert recorder.wait_for(1) == [ONE]


def test_a_second_process_shares_the_server_and_the_last_one_stops_it(tmp_path: Path) -> None:
    assert running_url(tmp_path) is None
    first, second = EmbeddedValkey(tmp_path), EmbeddedValkey(tmp_path)
    url = first.start()
    assert running_url(tmp_path) == url
    assert second.start() == url
    first.stop()
    first.stop()
    DramatiqQueue(make_broker(url)).ping()
    second.stop()
    assert running_url(tmp_path) is None
    with pytest.raises(QueueUnavailable):
        DramatiqQueue(make_broker(url)).ping()


def test_only_its_owner_can_reach_the_embedded_server(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as url:
        assert (tmp_path / "valkey.sock").stat().st_mode & 0o077 == 0
        client = redis.Redis.from_url(url)
        assert client.config_get("port") == {"port": "0"}


@pytest.mark.parametrize("name", ["with blank and ü", "long" * 30])
def test_any_data_directory_name_works(tmp_path: Path, name: str) -> None:
    data = tmp_path / name
    data.mkdir()
    with EmbeddedValkey(data) as url:
        assert running_url(data) == url
        DramatiqQueue(make_broker(url)).ping()
    assert running_url(data) is None
    with EmbeddedValkey(data):
        pass


def test_a_socket_folder_open_to_others_is_not_used(tmp_path: Path) -> None:
    data = tmp_path / ("long" * 30)
    data.mkdir()
    with EmbeddedValkey(data) as url:
        folder = Path(url.removeprefix("unix://")).parent
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    try:
        assert running_url(data) is None
        with pytest.raises(EmbeddedQueueFailed, match="valkey_folder_shared"):
            EmbeddedValkey(data).start()
    finally:
        folder.rmdir()


STARTER = """
import sys, time
from pathlib import Path
from importer.adapters.queue.embedded_valkey import EmbeddedValkey
from importer.adapters.queue.redis_queue import DramatiqQueue, make_broker
valkey = EmbeddedValkey(Path(sys.argv[1]))
url = valkey.start()
DramatiqQueue(make_broker(url)).ring("from-starter")
print(url, flush=True)
input()
valkey.stop()
"""


@contextmanager
def starter(data: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(data)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("unix://")
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_next_start_takes_over_a_server_that_outlived_a_kill_9(tmp_path: Path) -> None:
    with starter(tmp_path) as process:
        process.kill()
        process.wait()
    before = running_url(tmp_path)
    assert before is not None  # the server outlives its starter
    run_id = redis.Redis.from_url(before).info("server")["run_id"]
    with EmbeddedValkey(tmp_path) as url:
        client = redis.Redis.from_url(url)
        assert client.info("server")["run_id"] == run_id
        assert client.hlen("dramatiq:legs.msgs") == 1
    assert running_url(tmp_path) is None  # and does not stay an orphan


def test_a_stale_socket_does_not_prevent_a_start(tmp_path: Path) -> None:
    with starter(tmp_path) as process:
        url = running_url(tmp_path)
        assert url is not None
        pid = redis.Redis.from_url(url).info("server")["process_id"]
        process.kill()
        os.kill(pid, signal.SIGKILL)
        process.wait()
    assert (tmp_path / "valkey.sock").exists()
    assert wait_until(lambda: running_url(tmp_path) is None)
    with EmbeddedValkey(tmp_path) as url:
        DramatiqQueue(make_broker(url)).ping()


def test_processes_that_start_concurrently_share_one_server(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STARTER, str(tmp_path)]
    racers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    urls = set()
    for racer in racers:
        assert racer.stdout is not None
        urls.add(racer.stdout.readline().strip())
    assert urls == {running_url(tmp_path)}
    assert redis.Redis.from_url(urls.pop()).hlen("dramatiq:legs.msgs") == 3
    for racer in racers:
        racer.communicate("\n", timeout=PATIENCE_S)
        assert racer.returncode == 0
    assert running_url(tmp_path) is None


def test_ctrl_c_in_the_terminal_does_not_reach_the_server(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as url:
        pid = redis.Redis.from_url(url).info("server")["process_id"]
        assert os.getpgid(pid) != os.getpgid(0)


def test_a_damaged_file_loses_the_rings_but_the_server_starts(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as url:
        DramatiqQueue(make_broker(url)).ring(ONE)
    (increment,) = (tmp_path / "valkey" / "appendonlydir").glob("*.incr.aof")
    increment.write_bytes(b"*nonsense\r\n" + increment.read_bytes())
    with capture_logs() as logs, EmbeddedValkey(tmp_path) as url:
        DramatiqQueue(make_broker(url)).ping()
    assert [entry["event"] for entry in logs] == ["queue.reset"]


def test_an_unreachable_server_is_not_started_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importer.adapters.queue.embedded_valkey.STOP_TIMEOUT_S", 0.2)
    with EmbeddedValkey(tmp_path) as url:
        (tmp_path / "valkey.sock").rename(tmp_path / "away.sock")
        assert running_url(tmp_path) is None
        with pytest.raises(EmbeddedQueueFailed, match="valkey_silent"):
            EmbeddedValkey(tmp_path).start()
        (tmp_path / "away.sock").rename(tmp_path / "valkey.sock")
        with EmbeddedValkey(tmp_path) as again:
            assert again == url


def test_an_embedded_valkey_that_refuses_commands_is_named_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a full disk under its append-only file, Valkey answers even PING with MISCONF."""

    def refuse(_client: redis.Redis, **_: object) -> bool:
        raise redis.ResponseError("MISCONF Errors writing to the AOF file: No space left on device")

    with EmbeddedValkey(tmp_path):
        monkeypatch.setattr(redis.Redis, "ping", refuse)
        with pytest.raises(EmbeddedQueueFailed, match="No space left on device"):
            running_url(tmp_path)
        monkeypatch.undo()
