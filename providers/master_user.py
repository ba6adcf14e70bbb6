"""A master user: one login of a host's that opens the mailboxes of others, as their owners.

Two spellings are in use. The authorisation identity of SASL PLAIN (RFC 4616 section 2: the mailbox beside the
name and password that are checked) is the standard one; Dovecot takes it for users of a passdb with
`master = yes` (https://doc.dovecot.org/2.3/configuration_manual/authentication/master_users/, 2026-11), and
Cyrus for its `admins` and `proxyservers` (imapd.conf(5)). Dovecot's own is a login of both names with
`auth_master_user_separator` between them, for servers or proxies that want LOGIN.

Invariant: the password goes to `server` alone, and opens nothing but the address that was asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from providers.endpoint import Endpoint, Secret
from providers.errors import MasterRefused, Side
from providers.grants import MasterGrant, MasterLogin

SEPARATORS: Final = "*!/|#~^&=?$%"
"""What may stand between the two names: nothing that is in an address which a master user opens."""

_LOCAL: Final = re.compile(r"[a-z0-9._+'-]+")
_DOMAIN: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")


def domain_name(text: str) -> str | None:
    """A domain in small letters and in its ASCII form; None for anything else, one in another script
    included: servers do not agree on what that is in ASCII."""
    name = text.lower() if text.isascii() else ""
    return name if _DOMAIN.fullmatch(name) and len(name) <= 253 else None


def plain_domain(address: str) -> str | None:
    """The domain of an address, in small letters, if every host reads the address alike; else None.

    Hosts translate characters in logins (Dovecot's `auth_username_translation`), cut them at others and
    fold scripts (RFC 4616 has SASLprep), so that `root%other.example@new.example` may open a mailbox of
    other.example. Where a password opens the mailbox that is its owner's affair; with a master user nothing
    but ASCII letters, digits and . _ + ' - is let through, and domains in their ASCII form (`xn--…`).
    """
    local, _, domain = address.rpartition("@")
    return domain_name(domain) if address.isascii() and _LOCAL.fullmatch(local.lower()) else None


def login_is_address(address: str, login: str) -> bool:
    """Whether the mailbox is opened by its address, but for small and capital letters."""
    return login.isascii() and login.lower() == address.lower()


@dataclass(frozen=True, slots=True)
class MasterUser:
    """The master user of the host that imports go to. Without a `separator`, the mailbox is named as the
    authorisation identity."""

    server: Endpoint
    name: str
    password: Secret
    separator: str = ""

    def login_for(self, grant: MasterGrant, address: str, login: str, server: Endpoint) -> MasterLogin:
        """What opens that mailbox. Raises MasterRefused for one at another server, of another domain than
        the grant's, or that is to be opened by another login than its address."""
        if server != self.server:
            raise _refused(f"{server.host} is not the host that Mailhaul has a master user for.")
        if plain_domain(address) != grant.domain:
            raise _refused(f"{address} is in another domain than the one that was allowed.")
        if not login_is_address(address, login):
            raise _refused(
                f"{address} is to be opened as {login}, and a master user opens it as itself only."
            )
        return MasterLogin(self.name, self.password, self.separator)


def _refused(why: str) -> MasterRefused:
    return MasterRefused(
        f"{why} Submit the import again with the password of the new mailbox.", side=Side.DESTINATION
    )
