"""A worker process: runs a leg for each ring in the queue, and rings for all due work.

The actors only call use cases. To work faster than one process can, start more workers on any machine; they
share the store and the queue.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib.metadata import version
from queue import Empty, SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING

import dramatiq
import structlog

from importer.bootstrap import working
from importer.domain.model import ImportId
from importer.exit_watchdog import ExitWatchdog
from importer.inspection import observed
from importer.ports.process import InstallationFault
from importer.ports.queue_names import LEGS, MAIL, RUN_LEG, SEND_MAIL
from importer.service.deps import Deps
from importer.service.legs.fair_legs import FairLegs
from importer.service.notify.deliver_mail import send_due_mail
from importer.service.notify.one_at_a_time import OneAtATime
from importer.service.notify.webhooks import send_due_calls
from importer.service.tick import Tick
from importer.settings import Settings

if TYPE_CHECKING:
    from importer.metrics import ProcessMetrics

LONGEST_PAUSE_MS = 200
"""Between two polls of an empty queue: a person who submits an import waits for it."""

STOP_TIMEOUT_MS = 20_000
EXIT_TIMEOUT_S = 25.0
"""After a signal to end. Legs that hang longer than STOP_TIMEOUT_MS continue once their leases expire."""

log = structlog.get_logger()


def declare_actors(broker: dramatiq.Broker, deps: Deps) -> None:
    """Declares the actors of both queues on `broker`."""

    legs = FairLegs(deps)
    mails = OneAtATime(partial(send_due_mail, deps))
    calls = OneAtATime(partial(send_due_calls, deps))

    @dramatiq.actor(actor_name=RUN_LEG, queue_name=LEGS, broker=broker, priority=10)
    def run_leg(import_id: str) -> None:
        with _noting_installation_faults():
            legs.handle_ring(ImportId(import_id))

    @dramatiq.actor(actor_name=SEND_MAIL, queue_name=MAIL, broker=broker, priority=0)
    def send_mail() -> None:
        with _noting_installation_faults():
            mails()
            calls()


@contextmanager
def _noting_installation_faults() -> Iterator[None]:
    """A ring that fails because the database, the disk or the queue fails causes one log line without a
    traceback. The tick rings again."""
    try:
        yield
    except InstallationFault as error:
        log.warning("ring.failed", reason=str(error), kind=type(error).__name__)


def run(settings: Settings, metrics: ProcessMetrics | None = None, *, name: str = "") -> None:
    """Works until SIGTERM or SIGINT, then finishes the batches under way and returns. `name` is its
    `process_name`."""
    # SimpleQueue.put is reentrant and may be called from a signal handler; Event.set may not.
    signals: SimpleQueue[int] = SimpleQueue()
    stopping = threading.Event()
    watchdog = ExitWatchdog(EXIT_TIMEOUT_S)

    def stop(number: int, _frame: FrameType | None) -> None:
        watchdog.arm()
        signals.put(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    with working(settings, stopping.is_set, name) as (deps, broker):
        declare_actors(broker, deps)
        # One thread more than legs, so that mails do not wait for legs.
        worker = dramatiq.Worker(
            broker, worker_threads=settings.worker_threads + 1, worker_timeout=LONGEST_PAUSE_MS
        )
        # The default prefetches two messages per thread, which leaves other workers idle.
        worker.queue_prefetch = settings.worker_threads
        broker.emit_after("process_boot")  # starts the watcher thread of the TimeLimit middleware
        worker.start()
        tick = Tick(deps)
        report = partial(deps.store.report_worker, deps.lease_owner, version("mailhaul"), deps.clock.now())
        report(deps.clock.now())
        if metrics is not None:
            metrics.serve(observed(settings, deps))
        log.info("worker.started", threads=settings.worker_threads)
        while not _signalled(signals, settings.tick_seconds):
            try:
                report(deps.clock.now())
                tick()
            except Exception as error:  # the database or the queue is unavailable; the next tick retries
                log.warning("tick.failed", reason=str(error), kind=type(error).__name__)
        stopping.set()
        worker.stop(timeout=STOP_TIMEOUT_MS)
        with suppress(InstallationFault):
            deps.store.forget_worker(deps.lease_owner)
        log.info("worker.stopped")


def _signalled(signals: SimpleQueue[int], timeout_s: float) -> bool:
    try:
        signals.get(timeout=timeout_s)
    except Empty:
        return False
    return True
