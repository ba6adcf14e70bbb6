"""Running and waiting imports by host, budgets in use, and ending a host's pause for an operator."""

from __future__ import annotations

from importer.domain.audit_event import AuditAction, AuditActor, AuditOutcome
from importer.domain.model import Account
from importer.domain.planning.host_allowance import (
    host_budget,
    host_of_budget,
    is_of_whole_host,
    named_budget,
    without_connecting,
)
from importer.domain.planning.host_load import BudgetsInUse, HostLoad, host_loads
from importer.service.access.audit import record_event
from importer.service.deps import Deps
from providers.endpoint import Endpoint


def hosts(deps: Deps) -> list[HostLoad]:
    """Every host with imports that have not ended, with connections, or with a pause; the busiest first."""
    now = deps.clock.now()
    imports, slots = deps.store.imports_by_host(), deps.store.used_slots(now)
    backoffs = deps.store.backoffs(now)
    budgets = {host_budget(host) for host, _ in imports}
    budgets |= {*slots, *(without_connecting(each.name) for each in backoffs)}
    hosts = (host_of_budget(name) for name in budgets if is_of_whole_host(name))
    bounds = {host: _bound(deps, host) for host in hosts}
    own = deps.own_host.host if deps.own_host is not None else ""
    return host_loads(imports, slots, backoffs, bounds, own)


def budgets(deps: Deps) -> BudgetsInUse:
    """Slots, bytes and pauses of accounts and hosts."""
    now = deps.clock.now()
    store = deps.store
    return BudgetsInUse(store.used_slots(now), store.used_bytes(now), tuple(store.backoffs(now)))


def clear_pauses(deps: Deps, actor: AuditActor, named: str) -> list[str]:
    """End the pauses of that host, or of the accounts there: of `imap.old.example`, or of the budget name as
    `budgets` shows it. Return the budget names; imports that wait for them are tried when their wait ends."""
    pauses = [each.name for each in deps.store.backoffs(deps.clock.now()) if _is_named(each.name, named)]
    deps.store.clear_backoffs(pauses)
    for name in pauses:
        record_event(deps, AuditAction.PAUSE_CLEAR, AuditOutcome.DONE, actor, target=named_budget(name))
    return pauses


def _is_named(budget: str, named: str) -> bool:
    name, wanted = without_connecting(budget), named.casefold().strip().rstrip(".")
    host = host_of_budget(name) if is_of_whole_host(name) else host_of_budget(name).partition(":")[0]
    return wanted in (name, named_budget(name), host)


def _bound(deps: Deps, host: str) -> int:
    return deps.allowance(Account("", "", Endpoint(host))).host_connections
