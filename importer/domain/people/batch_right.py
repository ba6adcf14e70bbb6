"""The batch right: the destination mailboxes that may be opened without their passwords, by a master user.

Invariant: domains match exactly. `new.example` does not cover `mail.new.example`, nor the other way round.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from importer.domain.csv_import.csv_cells import Refused, password_missing
from importer.domain.model import Account
from providers.endpoint import Endpoint
from providers.frozen import frozen
from providers.grants import MasterGrant
from providers.master_user import MasterUser, domain_name, login_is_address, plain_domain


@frozen
class BatchRight:
    """Covers the mailboxes of `domains` at `server`, or all mailboxes at `server` with `everywhere`. `server`
    is None if no master user is configured; then nothing is covered."""

    server: Endpoint | None = None
    domains: frozenset[str] = frozenset()
    everywhere: bool = False

    @property
    def any(self) -> bool:
        """Whether any row may omit its destination password."""
        return self.server is not None and (self.everywhere or bool(self.domains))

    def grant(self, account: Account) -> MasterGrant:
        """The grant that opens that mailbox. Raises Refused, with the reason and the fix."""
        if self.server is None or not self.any:
            raise password_missing()
        if account.endpoint != self.server:
            raise Refused("master_elsewhere", host=self.server.host)
        domain = plain_domain(account.address)
        if domain is None:
            raise Refused("master_address")
        if not (self.everywhere or domain in self.domains):
            raise Refused("batch_right_missing", domains=", ".join(sorted(self.domains)))
        if not login_is_address(account.address, account.login):
            raise Refused("master_login")
        return MasterGrant(domain)

    def covers(self, account: Account) -> bool:
        """Whether that mailbox may be opened without its password."""
        try:
            self.grant(account)
        except Refused:
            return False
        return True


NO_RIGHT: Final = BatchRight()


def right_of_console(master: MasterUser | None) -> BatchRight:
    """The operator's right at the console: all mailboxes at the master user's server."""
    return NO_RIGHT if master is None else BatchRight(master.server, everywhere=True)


def administered(
    administrators: Mapping[str, frozenset[str]], addresses: Iterable[str], claimed: Iterable[str]
) -> frozenset[str]:
    """The domains that a person administers: those configured in `administrators` for one of their
    `addresses`, and those `claimed` for them by an issuer, as far as they are valid domain names."""
    configured = (
        administrators.get(address.lower(), frozenset()) for address in addresses if address.isascii()
    )
    names = (domain_name(claim) for claim in claimed)
    return frozenset().union(*configured) | {name for name in names if name is not None}
