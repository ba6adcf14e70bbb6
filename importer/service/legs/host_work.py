"""Work other than legs at the hosts of an import: under its own lease, within the limits of both hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from importer.domain.model import Import
from importer.domain.planning.server_limits import OVERTIME_S
from importer.ports.leases import Lease
from importer.ports.mailbox import MailboxReader
from importer.ports.work_limit import WorkLimit
from importer.service.deps import Deps
from importer.service.legs.heartbeat import Heartbeat
from importer.service.legs.host_limits import HostLimits
from providers.errors import Side, Throttled

S = TypeVar("S", bound=MailboxReader)


class LeaseHeld(Exception):
    """The same work is under way already."""


class HostWork:
    """Opens the sessions of the work. They are closed at its end."""

    def __init__(self, lease: Lease, limits: HostLimits) -> None:
        self.lease = lease
        self._limits = limits
        self._limit: WorkLimit | None = None
        self._sessions: list[MailboxReader] = []

    def open(self, side: Side, connect: Callable[[WorkLimit], S]) -> S:
        """The session that `connect` returns, once it has a slot at its account; before the first one is
        opened, slots are acquired at both hosts. Raises PostponedByHost, and what `connect` raises."""
        if self._limit is None:
            self._limits.raise_if_postponed(proven=False)
            self._limits.acquire_slots(0, proven=False)
            self._limit = WorkLimit(OVERTIME_S, overtime_s=OVERTIME_S)
        session = connect(self._limit)
        self._sessions.append(session)
        self._limits.enter(side)
        return session

    def close(self) -> None:
        for session in self._sessions:
            session.close()
        self._limits.release_slots()


@contextmanager
def host_work(deps: Deps, import_: Import, lease_name: str) -> Iterator[HostWork]:
    """Hold the lease, and the slots of the sessions that are opened, until the block ends. A pause that a
    host requests meanwhile applies to all imports. Raises LeaseHeld if another one holds the lease."""
    asked_at_s = deps.clock.elapsed_s()
    lease = deps.store.acquire(lease_name, deps.lease_owner, deps.deadlines.lease)
    if lease is None:
        raise LeaseHeld
    limits = HostLimits(deps, import_, f"{deps.lease_owner} {lease.name} {lease.fence}")
    work = HostWork(lease, limits)
    with Heartbeat(
        deps.store,
        [lease],
        deps.clock,
        deps.deadlines.lease,
        asked_at_s=asked_at_s,
        on_renew=limits.renew_slots,
    ):
        try:
            yield work
        except Throttled as error:
            limits.record_throttling(error)
            raise
        finally:
            work.close()
