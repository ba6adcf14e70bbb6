"""The doorbell: a ring is heard when it can be, and one that is lost does no harm."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
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
from tests.rehearsal.valkey import Valkey, valkey

ONE, TWO = ImportId("import-one"), ImportId("import-two")


def wait_until(true: Callable[[], bool], timeout_s: float = 10.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    return true()


@dataclass
class Ears:
    """A Dramatiq worker that writes down what it hears; `hold` keeps its threads busy while it is set."""

    broker: DoorbellBroker
    heard: list[str] = field(default_factory=list)
    free: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        self.free.set()

        def run_leg(import_id: str) -> None:
            self.heard.append(import_id)
            self.free.wait(20)

        def send_mail() -> None:
            self.heard.append("mail")

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

    def hear(self, count: int) -> list[str]:
        wait_until(lambda: len(self.heard) >= count)
        time.sleep(0.15)  # long enough to hear one too many
        return sorted(self.heard)


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
    """Consumers that lost Redis look for it again after 0.1 s instead of 3 s."""
    monkeypatch.setattr(dramatiq.worker, "CONSUMER_RESTART_DELAY_SECS", 0.1)
    monkeypatch.setattr(dramatiq.worker, "POST_PROCESS_MESSAGE_RETRY_DELAY_SECS", 0.1)


# --- The contract, for every queue ----------------------------------------------------------------


class Heard(Protocol):
    def __call__(self, count: int) -> list[str]: ...


@pytest.fixture(params=["memory", "valkey"])
def queue_and_heard(request: pytest.FixtureRequest) -> Iterator[tuple[Queue, Heard]]:
    if request.param == "memory":
        memory = MemoryQueue()
        yield memory, lambda count: sorted([*memory.take(), *["mail"] * memory.mail_rings])
        return
    running: Valkey = request.getfixturevalue("clean")
    ears = Ears(make_broker(running.url))
    with ears.listening():
        yield DramatiqQueue(make_broker(running.url)), ears.hear


def test_a_ring_is_heard_with_its_id(queue_and_heard: tuple[Queue, Heard]) -> None:
    queue, heard = queue_and_heard
    queue.ring(ONE)
    queue.ring(TWO)
    assert heard(2) == [ONE, TWO]


def test_two_rings_are_heard_twice(queue_and_heard: tuple[Queue, Heard]) -> None:
    queue, heard = queue_and_heard
    queue.ring(ONE)
    queue.ring(ONE)
    assert heard(2) == [ONE, ONE]


def test_the_mail_bell_is_another_one(queue_and_heard: tuple[Queue, Heard]) -> None:
    queue, heard = queue_and_heard
    queue.ring_mail()
    queue.ring(ONE)
    assert heard(2) == [ONE, "mail"]


def test_a_short_delay_and_a_negative_one_are_heard(queue_and_heard: tuple[Queue, Heard]) -> None:
    queue, heard = queue_and_heard
    queue.ring(ONE, timedelta(milliseconds=200))
    queue.ring(TWO, timedelta(seconds=-5))
    assert heard(2) == [ONE, TWO]


def test_the_memory_queue_remembers_delays_and_forgets_what_was_taken() -> None:
    queue = MemoryQueue()
    queue.ring(ONE, timedelta(minutes=3))
    assert queue.rings == [(ONE, timedelta(minutes=3))]
    assert queue.take() == [ONE]
    assert queue.take() == []


# --- On a real Valkey -------------------------------------------------------------------------------


def test_a_delayed_ring_comes_when_its_time_has_come(clean: Valkey) -> None:
    ears, queue = Ears(make_broker(clean.url)), DramatiqQueue(make_broker(clean.url))
    with ears.listening():
        rung_at = time.monotonic()
        queue.ring(ONE, timedelta(seconds=0.6))
        assert ears.hear(1) == [ONE]
        assert time.monotonic() - rung_at >= 0.6


def test_a_wait_that_is_the_stores_is_not_put_into_redis(clean: Valkey) -> None:
    queue = DramatiqQueue(make_broker(clean.url))
    queue.ring(ONE, LONGEST_DELAY + timedelta(seconds=1))
    assert clean.client().keys("*") == []
    queue.ring(ONE, LONGEST_DELAY)
    assert clean.client().hlen("dramatiq:legs.DQ.msgs") == 1


def test_a_message_holds_the_id_and_nothing_else(clean: Valkey) -> None:
    queue = DramatiqQueue(make_broker(clean.url))
    queue.ring(ONE)
    queue.ring_mail()
    (leg,) = clean.client().hvals("dramatiq:legs.msgs")
    (mail,) = clean.client().hvals("dramatiq:mail.msgs")
    assert (json.loads(leg)["args"], json.loads(leg)["kwargs"]) == ([ONE], {})
    assert (json.loads(mail)["args"], json.loads(mail)["kwargs"]) == ([], {})
    assert set(json.loads(leg)["options"]) == {"redis_message_id"}


def test_rings_wait_for_a_worker_that_comes_later(clean: Valkey) -> None:
    DramatiqQueue(make_broker(clean.url)).ring(ONE)
    ears = Ears(make_broker(clean.url))
    with ears.listening():
        assert ears.hear(1) == [ONE]


def test_a_leg_that_fails_is_not_run_again_by_the_queue(clean: Valkey) -> None:
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


def test_a_flushed_redis_loses_rings_and_the_next_ring_is_heard(clean: Valkey) -> None:
    ears, queue = Ears(make_broker(clean.url)), DramatiqQueue(make_broker(clean.url))
    queue.ring(ONE)
    clean.flush()
    with ears.listening():
        assert ears.hear(0) == []
        queue.ring(TWO)
        assert ears.hear(1) == [TWO]
        ears.free.clear()
        queue.ring(ONE)
        assert ears.hear(2) == [ONE, TWO]
        clean.flush()  # in the middle of a leg
        ears.free.set()
        queue.ring(ONE)
        assert ears.hear(3) == [ONE, ONE, TWO]


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
    assert time.monotonic() - started < 5
    with pytest.raises(QueueUnavailable, match="MAILHAUL_REDIS_URL"):
        queue.ping()


def test_a_password_for_redis_is_not_told_when_it_fails(clean: Valkey) -> None:
    url = clean.url.replace("unix://", "unix://nobody:canary@")
    queue = DramatiqQueue(make_broker(url))  # the server does not know the user: AUTH fails
    with capture_logs() as logs:
        queue.ring(ONE)
    with pytest.raises(QueueUnavailable) as caught:
        queue.ping()
    assert logs
    assert "canary" not in str(logs) + str(caught.value)


def test_a_worker_goes_on_after_redis_hung_and_after_it_was_killed(clean: Valkey) -> None:
    """Delayed messages are held in memory while it happens: that is what ends consumers of the original."""
    ears, queue = Ears(make_broker(clean.url, timeout_s=0.3)), DramatiqQueue(make_broker(clean.url))
    with ears.listening():
        queue.ring(ONE, timedelta(minutes=10))
        assert wait_until(lambda: clean.client().hlen("dramatiq:legs.DQ.msgs") == 1)
        time.sleep(0.3)  # the consumer holds it now
        clean.pause()
        time.sleep(1.0)
        clean.resume()
        queue.ring(ONE, timedelta(milliseconds=50))
        assert ears.hear(1) == [ONE]
        clean.restart()
        time.sleep(0.3)
        queue.ring(TWO, timedelta(milliseconds=50))
        assert ears.hear(2) == [ONE, TWO]
        DramatiqQueue(ears.broker).ping()


# --- Embedded ---------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def nothing_left_behind(tmp_path: Path) -> Iterator[None]:
    """A test that failed half-way must not leave a server to the machine."""
    yield
    if url := running_url(tmp_path):
        redis.Redis.from_url(url).shutdown(nosave=True)


def test_the_embedded_valkey_keeps_rings_over_a_restart(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as url:
        DramatiqQueue(make_broker(url)).ring(ONE)
    assert running_url(tmp_path) is None
    with EmbeddedValkey(tmp_path) as url:
        ears = Ears(make_broker(url))
        with ears.listening():
            assert ears.hear(1) == [ONE]


def test_a_second_process_finds_it_and_the_last_one_ends_it(tmp_path: Path) -> None:
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


def test_only_its_owner_reaches_it(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as url:
        assert (tmp_path / "valkey.sock").stat().st_mode & 0o077 == 0
        client = redis.Redis.from_url(url)
        assert client.config_get("port") == {"port": "0"}


@pytest.mark.parametrize("name", ["with blank and ü", "long" * 30])
def test_any_data_directory_will_do(tmp_path: Path, name: str) -> None:
    data = tmp_path / name
    data.mkdir()
    with EmbeddedValkey(data) as url:
        assert running_url(data) == url
        DramatiqQueue(make_broker(url)).ping()
    assert running_url(data) is None
    with EmbeddedValkey(data):
        pass


def test_a_folder_that_somebody_else_prepared_is_not_used(tmp_path: Path) -> None:
    data = tmp_path / ("long" * 30)
    data.mkdir()
    with EmbeddedValkey(data) as url:
        folder = Path(url.removeprefix("unix://")).parent
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    try:
        assert running_url(data) is None
        with pytest.raises(EmbeddedQueueFailed, match="MAILHAUL_DATA"):
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


def test_after_kill_9_the_next_start_takes_over_the_server_that_stayed(tmp_path: Path) -> None:
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
    assert running_url(tmp_path) is None  # and is no orphan for good


def test_after_both_were_killed_a_stale_socket_does_not_hurt(tmp_path: Path) -> None:
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


def test_processes_that_start_at_once_share_one_server(tmp_path: Path) -> None:
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
        racer.communicate("\n", timeout=20)
        assert racer.returncode == 0
    assert running_url(tmp_path) is None


def test_ctrl_c_in_the_terminal_is_not_for_the_server(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as url:
        pid = redis.Redis.from_url(url).info("server")["process_id"]
        assert os.getpgid(pid) != os.getpgid(0)


def test_a_damaged_file_costs_the_rings_and_not_the_service(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as url:
        DramatiqQueue(make_broker(url)).ring(ONE)
    (increment,) = (tmp_path / "valkey" / "appendonlydir").glob("*.incr.aof")
    increment.write_bytes(b"*nonsense\r\n" + increment.read_bytes())
    with capture_logs() as logs, EmbeddedValkey(tmp_path) as url:
        DramatiqQueue(make_broker(url)).ping()
    assert [entry["event"] for entry in logs] == ["queue.reset"]


def test_a_server_out_of_reach_is_not_doubled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importer.adapters.queue.embedded_valkey.STOP_TIMEOUT_S", 0.2)
    with EmbeddedValkey(tmp_path) as url:
        (tmp_path / "valkey.sock").rename(tmp_path / "away.sock")
        assert running_url(tmp_path) is None
        with pytest.raises(EmbeddedQueueFailed, match="End its process"):
            EmbeddedValkey(tmp_path).start()
        (tmp_path / "away.sock").rename(tmp_path / "valkey.sock")
        with EmbeddedValkey(tmp_path) as again:
            assert again == url
