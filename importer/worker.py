"""A worker: answers the doorbell with legs, and rings for whatever is due.

The actors are three lines each. Who wants more speed than one process has starts more workers; they share
the store and the queue, wherever they run.
"""

from __future__ import annotations

import signal
import threading
from queue import Empty, SimpleQueue

import dramatiq
import structlog

from importer.adapters.queue.redis_queue import LEGS, MAIL, RUN_LEG, SEND_MAIL, DoorbellBroker
from importer.bootstrap import working
from importer.domain.model import ImportId
from importer.service.deps import Deps
from importer.service.legs.run_leg import work
from importer.service.notify.deliver_mail import deliver
from importer.service.notify.webhooks import call_out
from importer.service.tick import Tick
from importer.settings import Settings

STOP_TIMEOUT_MS = 60_000

log = structlog.get_logger()


def declare_actors(broker: DoorbellBroker, deps: Deps) -> None:
    """The actors of the two queues, on that broker."""

    @dramatiq.actor(actor_name=RUN_LEG, queue_name=LEGS, broker=broker, priority=10)
    def run_leg(import_id: str) -> None:
        work(deps, ImportId(import_id))

    @dramatiq.actor(actor_name=SEND_MAIL, queue_name=MAIL, broker=broker, priority=0)
    def send_mail() -> None:
        deliver(deps)
        call_out(deps)


def run(settings: Settings) -> None:
    """Works until SIGTERM or SIGINT; then ends the batches under way and returns."""
    # A queue, for its put may be called from a signal handler at any moment; an Event's set may not.
    signals: SimpleQueue[int] = SimpleQueue()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: signals.put(number))
    with working(settings, stopping.is_set) as (deps, broker):
        declare_actors(broker, deps)
        # One thread more than legs, so that mails need not wait behind them.
        worker = dramatiq.Worker(broker, worker_threads=settings.worker_threads + 1)
        # By default it would hoard twice as many rings as it has threads, and leave other workers idle.
        worker.queue_prefetch = settings.worker_threads
        broker.emit_after("process_boot")  # starts the watch of TimeLimit
        worker.start()
        tick = Tick(deps)
        log.info("worker.started", threads=settings.worker_threads)
        while not _signalled(signals, settings.tick_seconds):
            try:
                tick()
            except Exception as error:  # the database or the queue is away: the next tick is for that
                log.warning("tick.failed", reason=str(error), kind=type(error).__name__)
        stopping.set()
        worker.stop(timeout=STOP_TIMEOUT_MS)
        log.info("worker.stopped")


def _signalled(signals: SimpleQueue[int], timeout_s: float) -> bool:
    try:
        signals.get(timeout=timeout_s)
    except Empty:
        return False
    return True
