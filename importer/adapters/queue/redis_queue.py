"""The doorbell on Redis or Valkey: Dramatiq messages that carry an import's id and nothing else.

Messages are built from the names in `ports.queue_names`, so a process that rings declares no actors. Actors
cannot use `max_retries`: there is no Retries middleware, because the tick rings again for everything due.
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
from providers.text import Text

LONGEST_DELAY: Final = timedelta(minutes=15)
"""Dramatiq holds delayed messages in a worker's memory; longer waits use the store (`not_before`) only."""

# A leg is limited to minutes by its own budget. This limit only frees a thread whose leg does not end.
_TIME_LIMIT_MS: Final = 3_600_000

log = structlog.get_logger()


class QueueUnavailable(InstallationFault):
    """Redis does not respond. The text has the reason, without the URL's password."""


class DoorbellBroker(RedisBroker):
    """A RedisBroker that raises every failure of Redis as Dramatiq's ConnectionClosed.

    The base class raises redis-py's errors for timeouts and for a full or read-only Redis. Dramatiq's
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
    """A broker for `redis_url` (redis://, rediss:// or unix://). It connects on first use.

    The messages of a killed worker are requeued after about a minute: heartbeat_timeout is 60 s, and one in
    ten commands checks for dead workers (with the default, one in a thousand, that takes a quarter of an hour
    when idle).
    """
    client = redis.Redis.from_url(
        redis_url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        health_check_interval=30,
        # No retry after a timeout: the caller waits here, and the tick makes up for a lost ring.
        retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), 2, (redis.ConnectionError,)),
    )
    return DoorbellBroker(  # type: ignore[no-untyped-call]
        client=client,
        middleware=[TimeLimit(time_limit=_TIME_LIMIT_MS)],
        heartbeat_timeout=60_000,
        maintenance_chance=100_000,
    )


class DramatiqQueue:
    """Implements `Queue`. Ringing never raises: the tick makes up for rings that did not reach Redis."""

    def __init__(self, broker: RedisBroker) -> None:
        self._broker = broker

    def ring(self, import_id: ImportId, delay: timedelta = timedelta(0)) -> None:
        """Does nothing if `delay` exceeds LONGEST_DELAY: the tick rings when the import is due."""
        if delay <= LONGEST_DELAY:
            self._send(Message(LEGS, RUN_LEG, (import_id,), {}, {}), delay)

    def ring_mail(self) -> None:
        self._send(Message(MAIL, SEND_MAIL, (), {}, {}), timedelta(0))

    def ping(self) -> None:
        """Raises QueueUnavailable unless Redis responds."""
        try:
            self._broker.client.ping()
        except redis.RedisError as error:
            raise QueueUnavailable(Text("installation.queue_silent", reason=str(error))) from None

    def _send(self, message: Message[Any], delay: timedelta) -> None:
        delay_ms = round(delay.total_seconds() * 1000)
        try:
            self._broker.enqueue(message, delay=delay_ms if delay_ms > 0 else None)
        except BrokerConnectionError as error:
            log.warning("queue.ring_failed", actor=message.actor_name, reason=str(error))
