"""The batch right: into which mailboxes somebody may bring mail without their passwords.

Invariant: a domain is named whole. `new.example` covers nothing of `mail.new.example`, nor the
other way round.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from importer.domain.csv_import.csv_cells import Refused, password_missing
from importer.domain.model import Account
from providers.endpoint import Endpoint
from providers.grants import MasterGrant
from providers.master_user import MasterUser, domain_name, is_itself, plain_domain


@dataclass(frozen=True, slots=True)
class BatchRight:
    """Mailboxes of `domains` at `server`, or all of them there with `everywhere`. Nobody has it where no
    master user is set up: then `server` is None."""

    server: Endpoint | None = None
    domains: frozenset[str] = frozenset()
    everywhere: bool = False

    @property
    def any(self) -> bool:
        """Whether there may be a row at all that needs no password for its destination."""
        return self.server is not None and (self.everywhere or bool(self.domains))

    def grant(self, account: Account) -> MasterGrant:
        """What opens that mailbox. Raises Refused, which says what is in the way and what to do."""
        if self.server is None or not self.any:
            raise password_missing()
        if account.endpoint != self.server:
            raise Refused(
                "master_elsewhere",
                f"The password may be left out for mailboxes at {self.server.host} only.",
                "Write the password, or leave the destination's server out.",
            )
        domain = plain_domain(account.address)
        if domain is None:
            raise Refused(
                "master_address",
                "The password may be left out for plain addresses only: letters without accents, digits and"
                " . _ + ' - before the @, and a domain in its ASCII form (xn--…).",
                "Write the password.",
            )
        if not (self.everywhere or domain in self.domains):
            raise Refused(
                "batch_right_missing",
                f"The password may be left out for mailboxes of {', '.join(sorted(self.domains))} only.",
                "Write the password, or have an administrator of that domain hand this row in.",
            )
        if not is_itself(account.address, account.login):
            raise Refused(
                "master_login",
                "The password may be left out only where the login is the address itself.",
                "Write the password, or leave the login out of the server.",
            )
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
    """That of whoever runs the installation: everywhere."""
    return NO_RIGHT if master is None else BatchRight(master.server, everywhere=True)


def administered(
    administrators: Mapping[str, frozenset[str]], addresses: Iterable[str], claimed: Iterable[str]
) -> frozenset[str]:
    """The domains of somebody with these addresses, of whom an issuer claims these domains."""
    own = (administrators.get(address.lower(), frozenset()) for address in addresses if address.isascii())
    named = (domain_name(one) for one in claimed)
    return frozenset().union(*own) | {one for one in named if one is not None}
