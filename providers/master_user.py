"""Master user: a login that opens the mailboxes of other users of its host.

Two forms exist. The standard one is the authorisation identity of SASL PLAIN (RFC 4616 section 2: the mailbox
is sent in addition to the name and password that are verified). Dovecot accepts it for users of a passdb with
`master = yes` (https://doc.dovecot.org/2.3/configuration_manual/authentication/master_users/, 2026-11), Cyrus
for its `admins` and `proxyservers` (imapd.conf(5)). Dovecot's own form is a login of both names with
`auth_master_user_separator` between them, for servers or proxies that require LOGIN.

Invariant: the password is sent to `server` only, and opens only the requested address.
"""

from __future__ import annotations

import re
from typing import Final

from providers.endpoint import Endpoint, Secret
from providers.errors import MasterRefused, Side
from providers.frozen import frozen
from providers.grants import MasterGrant, MasterLogin
from providers.text import Text

SEPARATORS: Final = "*!/|#~^&=?$%"
"""Allowed separators: characters that cannot occur in an address that a master user opens."""

_LOCAL: Final = re.compile(r"[a-z0-9_+'-]+(?:\.[a-z0-9_+'-]+)*")
"""A dot-atom (RFC 5322 section 3.2.3), so never ".", ".." or "a..b", which are paths to some hosts."""

_DOMAIN: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")


def domain_name(text: str) -> str | None:
    """The lower-case ASCII form of a domain; None for anything else.

    Domains in other scripts are not converted, because servers disagree on their ASCII form.
    """
    name = text.lower() if text.isascii() else ""
    return name if _DOMAIN.fullmatch(name) and len(name) <= 253 else None


def plain_domain(address: str) -> str | None:
    """The lower-case domain of an address if all hosts parse the address alike; else None.

    Hosts translate characters in logins (Dovecot's `auth_username_translation`), truncate at others and
    normalise Unicode (RFC 4616 requires SASLprep), so `root%other.example@new.example` may open a mailbox of
    other.example. With a password this can only affect its owner. For a master user, only ASCII letters,
    digits and . _ + ' - are accepted, and domains in their ASCII form (`xn--`).
    """
    local, _, domain = address.rpartition("@")
    return domain_name(domain) if address.isascii() and _LOCAL.fullmatch(local.lower()) else None


def login_is_address(address: str, login: str) -> bool:
    """Whether the login is the mailbox's address, case-insensitively."""
    return login.isascii() and login.lower() == address.lower()


@frozen
class MasterUser:
    """The master user of the destination host.

    Without a `separator`, the mailbox is sent as the authorisation identity.
    """

    server: Endpoint
    name: str
    password: Secret
    separator: str = ""

    def login_for(self, grant: MasterGrant, address: str, login: str, server: Endpoint) -> MasterLogin:
        """The login for that mailbox.

        Raises MasterRefused if the mailbox is at another server, if its domain is not the grant's, or if
        `login` is not its address.
        """
        if server != self.server:
            raise _refused(Text("master_refused.other_server", host=server.host))
        if plain_domain(address) != grant.domain:
            raise _refused(Text("master_refused.other_domain", address=address))
        if not login_is_address(address, login):
            raise _refused(Text("master_refused.other_login", address=address, login=login))
        return MasterLogin(self.name, self.password, self.separator)


def _refused(text: Text) -> MasterRefused:
    return MasterRefused(text, side=Side.DESTINATION)
