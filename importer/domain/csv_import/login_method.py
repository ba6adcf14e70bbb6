"""The login method for a mailbox of a row: with its password, or by a sign-in of its owner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from importer.domain.csv_import.csv_cells import Refused, Server, password
from providers.endpoint import Secret
from providers.frozen import frozen
from providers.grants import PASSWORD_LINK
from providers.provider import PasswordKind, Provider

SignInMethod = Callable[[str, str], bool]
"""Whether this installation supports the owner's sign-in instead of a password. Called with the provider to
sign in with (`Provider.sign_in`) and the mail address."""


@frozen
class LoginMethod:
    """The login method of a row: the password in its cell, or the owner's sign-in at `sign_in`
    (PASSWORD_LINK: the owner enters the password over a link).

    `closed`: the id of the provider if it permits no login, else "". `useless`: the cell has a password, but
    the host accepts none. `blank`: the password cell is blank.
    """

    sign_in: str = ""
    closed: str = ""
    useless: bool = False
    blank: bool = False

    @classmethod
    def into(
        cls,
        mail_address: str,
        host: Provider | None,
        cell: str,
        can_sign_in: SignInMethod,
        *,
        by_link: bool = False,
    ) -> Self:
        """The login method for the mailbox `mail_address` at `host` (None if it is unknown). `cell` is the
        password cell. With `by_link`, an owner who cannot sign in enters the password over a link."""
        blank = not cell.strip()
        by_link = by_link and blank
        if host is None:
            return cls(PASSWORD_LINK if by_link else "", blank=blank)
        if host.sign_in is not None and can_sign_in(host.sign_in, mail_address):
            useless = not blank and host.password is PasswordKind.NONE
            return cls(host.sign_in if blank else "", useless=useless, blank=blank)
        closed = host.passwords_unavailable if by_link or not blank else host.unavailable
        if by_link and not closed:
            return cls(PASSWORD_LINK, blank=True)
        return cls(closed=host.id if closed else "", blank=blank)

    @property
    def takes_password(self) -> bool:
        return not self.sign_in and not (self.closed and self.blank)

    def password(self, cell: str) -> Secret:
        """The password in `cell`. Raises Refused if there is none, or if the host accepts none."""
        if self.useless:
            raise Refused("password_not_taken")
        return password(cell)

    def check(self, mail_address: str, server: Server) -> None:
        """Raise Refused if the host permits no login, or if the sign-in would open another mailbox than
        `mail_address`."""
        if self.closed:
            raise Refused("provider_unavailable", provider=self.closed)
        signs_in = self.sign_in and self.sign_in != PASSWORD_LINK
        if signs_in and server.login is not None and server.login.lower() != mail_address.lower():
            raise Refused("login_elsewhere")
