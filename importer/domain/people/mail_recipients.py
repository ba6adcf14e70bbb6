"""Who is written to about an import: people who are proven to own what it is about.

Until a login at both mailboxes has succeeded, only the submitter is. An address is proven by a login at a
host that speaks for it; a server that a submitter names proves nothing about another domain's address.
"""

from __future__ import annotations

from collections.abc import Callable

from importer.domain.model import Account, State
from importer.domain.reporting.report import Report


def is_host_of_domain(account: Account) -> bool:
    """Whether the account's host belongs to the domain of its address, and its login is the address."""
    domain, host = account.address.rpartition("@")[2].lower(), account.endpoint.host.lower().rstrip(".")
    same_login = account.login.lower() == account.address.lower()
    return same_login and (host == domain or host.endswith(f".{domain}"))


def completion_recipients(report: Report, is_proven: Callable[[Account], bool]) -> tuple[str, ...]:
    """The addresses to notify, as far as there are any: old mailbox, new mailbox, submitter."""
    import_ = report.import_
    logged_in = bool(report.tallies) or import_.state in (State.COMPLETE, State.INCOMPLETE)
    accounts = (import_.source, import_.destination) if logged_in else ()
    return (*(account.address for account in accounts if is_proven(account)), import_.submitter)
