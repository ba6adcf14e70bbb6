"""The doorbell on Redis or Valkey: Dramatiq messages that carry an import's id and nothing else.

Whoever rings needs no actor: messages are built by name, and worker.py declares `run_leg(import_id)` on
queue `legs` and `send_mail()` on queue `mail`. Actors may not use `max_retries`: there is no Retries
middleware, because the tick rings again whatever is due.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import redis
import structlog
from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import BrokerConnectionError, ConnectionClosed
from dramatiq.middleware import TimeLimit
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry

from importer.domain.model import ImportId
from importer.ports.process import InstallationFault
from importer.ports.queue_names import LEGS, MAIL, RUN_LEG, SEND_MAIL

LONGEST_DELAY: Final = timedelta(minutes=15)
"""Dramatiq holds delayed messages in a worker's memory: longer waits are the store's (`not_before`)."""

# A leg is bounded by its own budget, minutes long. This only frees a thread whose leg ran wild.
_TIME_LIMIT_MS: Final = 3_600_000

log = structlog.get_logger()


class QueueUnavailable(InstallationFault):
    """Redis does not answer; the text says why and what to check, without the URL's password."""


class DoorbellBroker(RedisBroker):
    """RedisBroker that reports every failure of Redis as Dramatiq's ConnectionClosed.

    The original lets a timeout, a full or a read-only Redis out as redis-py's own errors; Dramatiq's
    consumer threads then die while they requeue delayed messages (2.2.1, worker.py, ConsumerThread.run).
    """

    def _dispatch(self, command: str) -> Callable[..., Any]:
        dispatch = super()._dispatch(command)  # type: ignore[no-untyped-call]

        def translated(queue_name: str, *args: Any) -> Any:
            try:
                return dispatch(queue_name, *args)
            except redis.RedisError as error:
                reason = f"{command} on {queue_name}: {error}"
                raise ConnectionClosed(reason) from None  # type: ignore[no-untyped-call]

        return translated


def make_broker(redis_url: str, *, timeout_s: float = 5.0) -> DoorbellBroker:
    """A broker on `redis_url` (redis://, rediss:// or unix://); connects when first used.

    A worker's messages come back about a minute after it was killed: heartbeat_timeout 60 s, and one in
    ten commands looks for the dead (the default, one in a thousand, takes a quarter of an hour when idle).
    """
    client = redis.Redis.from_url(
        redis_url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        health_check_interval=30,
        # Not after a timeout: who rings waits here, and a lost ring is mended by the tick.
        retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), 2, (redis.ConnectionError,)),
    )
    return DoorbellBroker(  # type: ignore[no-untyped-call]
        client=client,
        middleware=[TimeLimit(time_limit=_TIME_LIMIT_MS)],
        heartbeat_timeout=60_000,
        maintenance_chance=100_000,
    )


class DramatiqQueue:
    """`Queue` of ports.py. Ringing never raises: what Redis did not hear, the tick rings again."""

    def __init__(self, broker: RedisBroker) -> None:
        self._broker = broker

    def ring(self, import_id: ImportId, delay: timedelta = timedelta(0)) -> None:
        """`delay` beyond LONGEST_DELAY rings nothing: the tick does when the time has come."""
        if delay <= LONGEST_DELAY:
            self._send(Message(LEGS, RUN_LEG, (import_id,), {}, {}), delay)

    def ring_mail(self) -> None:
        self._send(Message(MAIL, SEND_MAIL, (), {}, {}), timedelta(0))

    def ping(self) -> None:
        """Raises QueueUnavailable unless Redis answers."""
        try:
            self._broker.client.ping()
        except redis.RedisError as error:
            raise QueueUnavailable(
                f"The queue does not answer: {error}."
                " Check that Redis or Valkey runs, and MAILHAUL_REDIS_URL."
            ) from None

    def _send(self, message: Message[Any], delay: timedelta) -> None:
        delay_ms = round(delay.total_seconds() * 1000)
        try:
            self._broker.enqueue(message, delay=delay_ms if delay_ms > 0 else None)
        except BrokerConnectionError as error:
            log.warning("queue.ring_failed", actor=message.actor_name, reason=str(error))
