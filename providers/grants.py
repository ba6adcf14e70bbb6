"""Grants for mailbox access: a password, the owner's consent, an organisation's consent, or a master user.

A grant is stored, sealed; a login uses the credential that is made from it. This module does no network I/O.
"""

from __future__ import annotations

import json
from typing import Final, Protocol, assert_never

from providers.endpoint import Secret
from providers.frozen import frozen


@frozen
class PasswordGrant:
    """A mailbox password or an app password."""

    password: Secret


@frozen
class OAuthGrant:
    """The owner's consent (RFC 6749 section 1.5). `provider` is an id of `SIGN_IN_PROVIDERS`; `tenant`
    is the directory of the consent, "" for none."""

    provider: str
    refresh_token: Secret
    tenant: str = ""


PASSWORD_LINK: Final = "password-link"  # noqa: S105
"""In place of a provider, in a grant that is awaited: its owner enters the password over a link."""


@frozen
class OrganisationGrant:
    """An organisation's consent for all its mailboxes; its key is in the settings, not in the grant."""

    provider: str


@frozen
class MasterGrant:
    """The permission of an administrator of `domain` to open this mailbox as the host's master user.

    The master user's name and password are in the settings, not in the grant, so that both can be changed
    while imports are running.
    """

    domain: str


Grant = PasswordGrant | OAuthGrant | OrganisationGrant
DestinationGrant = Grant | MasterGrant
"""A source mailbox is never opened by a master user."""

_PASSWORD: Final = "password"  # noqa: S105  # the name of a grant kind
_OAUTH: Final = "oauth"
_ORGANISATION: Final = "organisation"
_MASTER: Final = "master"


class AccessTokens(Protocol):
    """Access tokens for one mailbox, refreshed automatically. Thread-safe."""

    def access_token(self, *, refused: bool = False) -> Secret:
        """A token that is valid for at least another half minute.

        Concurrent calls share one refresh. `refused` means that the host rejected the previous token; another
        one is fetched. Raises GrantExpired if the grant yields no more tokens, and ServerUnavailable.
        """
        ...


@frozen
class MasterLogin:
    """A master user's name and password.

    With a `separator`, the login is mailbox, separator and name; without one, the mailbox is sent as the
    authorisation identity (RFC 4616).
    """

    name: str
    password: Secret
    separator: str = ""


OwnerCredential = Secret | AccessTokens
"""The credential of a mailbox owner: a password, or a source of access tokens."""

Credential = OwnerCredential | MasterLogin
"""The secret of a login."""


def dump(grant: DestinationGrant) -> Secret:
    """Serialise the grant for the vault; the inverse of `load`."""
    match grant:
        case PasswordGrant(password):
            facts = {"kind": _PASSWORD, "password": password.reveal()}
        case OAuthGrant(provider, refresh_token, tenant):
            facts = {"kind": _OAUTH, "provider": provider, "refresh_token": refresh_token.reveal()}
            facts |= {"tenant": tenant} if tenant else {}
        case OrganisationGrant(provider):
            facts = {"kind": _ORGANISATION, "provider": provider}
        case MasterGrant(domain):
            facts = {"kind": _MASTER, "domain": domain}
        case _:
            assert_never(grant)
    return Secret(json.dumps(facts, ensure_ascii=False))


def load(text: Secret) -> DestinationGrant:
    """Deserialise a grant; the inverse of `dump`. Raises ValueError, which does not quote the text."""
    try:
        facts = json.loads(text.reveal())
        match facts["kind"]:
            case "password":
                return PasswordGrant(Secret(_text(facts["password"])))
            case "oauth":
                return OAuthGrant(
                    _text(facts["provider"]),
                    Secret(_text(facts["refresh_token"])),
                    _text(facts.get("tenant", "")),
                )
            case "organisation":
                return OrganisationGrant(_text(facts["provider"]))
            case "master":
                return MasterGrant(_text(facts["domain"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        pass  # their messages quote the text
    raise ValueError("the sealed text is not a grant")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
