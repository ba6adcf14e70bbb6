"""How a row gets into a mailbox: with the password that it holds, or without one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from importer.domain.csv_import.csv_cells import Refused, Server, password
from providers.endpoint import Secret
from providers.provider import PasswordKind, Provider

SignInMethod = Callable[[str, str], bool]
"""Whether this installation can be let into a mailbox without its password: by the provider that its owner
can sign in with (`Provider.sign_in`), and the address."""


@dataclass(frozen=True, slots=True)
class LoginMethod:
    """With the password of its cell, or, without one, by signing in at `sign_in`. `closed` says why nobody
    gets in; `useless` that the host takes no password."""

    sign_in: str = ""
    closed: str = ""
    useless: bool = False
    blank: bool = False

    @classmethod
    def into(cls, mail_address: str, host: Provider | None, cell: str, can_sign_in: SignInMethod) -> Self:
        """The way for the mailbox of that address at `host` (None: nobody knows it), with that password."""
        blank = not cell.strip()
        if host is None:
            return cls(blank=blank)
        if host.sign_in is not None and can_sign_in(host.sign_in, mail_address):
            useless = not blank and host.password is PasswordKind.NONE
            return cls(host.sign_in if blank else "", useless=useless, blank=blank)
        return cls(closed=host.unavailable if blank else host.closed_to_passwords, blank=blank)

    @property
    def takes_password(self) -> bool:
        return not self.sign_in and not (self.closed and self.blank)

    def password(self, cell: str) -> Secret:
        """Raises Refused."""
        if self.useless:
            raise Refused(
                "password_not_taken",
                "This host takes no passwords over IMAP.",
                "Leave the password empty: the owner of the mailbox is asked to sign in there.",
            )
        return password(cell)

    def check(self, mail_address: str, given: Server) -> None:
        """Raises Refused when nobody gets in, or not to the mailbox that the row names."""
        if self.closed:
            fix = "Take this row out of the file; the others can start without it."
            raise Refused("provider_unavailable", self.closed, fix)
        if self.sign_in and given.login is not None and given.login.lower() != mail_address.lower():
            raise Refused(
                "login_elsewhere",
                "There is a login here, but the owner of the address is the one who signs in.",
                "Leave the login out of the server, or write the address that it belongs to.",
            )
