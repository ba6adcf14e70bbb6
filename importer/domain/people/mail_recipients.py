"""The recipients of mails about an import: people who are proven to own the mailbox concerned.

Until a login at both mailboxes has succeeded, only the submitter is. An address is proven by a login at a
host that speaks for it; a server that a submitter names is no proof for an address of another domain.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from importer.domain.model import Account, State
from importer.domain.reporting.report import Report
from providers.frozen import frozen


class MailVoice(StrEnum):
    """The role in which a mail addresses its reader."""

    OWN = "own"  # moves their own mail
    OWNER = "owner"  # of a mailbox that another person moves: cannot start or fix anything
    SUBMITTER = "submitter"  # moves the mailboxes of others


@frozen
class MailReader:
    """A recipient of a mail about an import."""

    address: str
    voice: MailVoice = MailVoice.OWN


def is_host_of_domain(account: Account) -> bool:
    """Whether the account's host belongs to the domain of its address, and its login is the address."""
    domain, host = account.address.rpartition("@")[2].lower(), account.endpoint.host.lower().rstrip(".")
    same_login = account.login.lower() == account.address.lower()
    return same_login and (host == domain or host.endswith(f".{domain}"))


def completion_readers(
    report: Report, is_proven: Callable[[Account], bool], *, summed_up: bool = False
) -> tuple[MailReader, ...]:
    """The recipients of the mail about the end of an import: old mailbox, new mailbox, submitter. With
    `summed_up`, the submitter gets the summary of the batch in its place, even as the owner of one of the
    mailboxes."""
    import_ = report.import_
    logged_in = bool(report.tallies) or import_.state in (State.COMPLETE, State.INCOMPLETE)
    accounts = (import_.source, import_.destination) if logged_in else ()
    owners = [account.address for account in accounts if is_proven(account)]
    submitter = import_.submitter
    addresses = {import_.source.address.casefold(), import_.destination.address.casefold()}
    own = submitter.casefold() in addresses or not (submitter or import_.batch_id)
    if summed_up:
        owners = [address for address in owners if address.casefold() != submitter.casefold()]
    readers = [MailReader(address, MailVoice.OWN if own else MailVoice.OWNER) for address in owners]
    if submitter and not summed_up:
        readers.append(MailReader(submitter, MailVoice.OWN if own else MailVoice.SUBMITTER))
    return tuple(readers)
