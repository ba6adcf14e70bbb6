"""What lets us into a mailbox: a password, the owner's consent, an organisation's, or a master user.

A grant is what is kept, sealed; a credential is what a login takes. Nothing here touches the network.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final, Protocol, assert_never

from providers.endpoint import Secret


@dataclass(frozen=True, slots=True)
class PasswordGrant:
    """A password or an app password, as the host takes it."""

    password: Secret


@dataclass(frozen=True, slots=True)
class OAuthGrant:
    """The owner's consent (RFC 6749 section 1.5). `provider` is "google" or "microsoft"; `tenant` is the
    directory that gave the consent at Microsoft, "" where there is none."""

    provider: str
    refresh_token: Secret
    tenant: str = ""


@dataclass(frozen=True, slots=True)
class OrganisationGrant:
    """The consent that an organisation gave for all its mailboxes; its key is in the settings, not here."""

    provider: str


@dataclass(frozen=True, slots=True)
class MasterGrant:
    """What an administrator of `domain` allowed: the host's master user opens this mailbox. Who that is and
    its password are in the settings, not here, so that both may be changed while imports are under way."""

    domain: str


Grant = PasswordGrant | OAuthGrant | OrganisationGrant
DestinationGrant = Grant | MasterGrant
"""A mailbox that is read is never opened by a master user."""

_PASSWORD: Final = "password"  # noqa: S105  # the name of a kind
_OAUTH: Final = "oauth"
_ORGANISATION: Final = "organisation"
_MASTER: Final = "master"


class AccessTokens(Protocol):
    """Access tokens for one mailbox, fresh by themselves, for any number of threads."""

    def access_token(self, *, refused: bool = False) -> Secret:
        """A token that is good for the next half minute at least. Threads that ask while it is being
        fetched wait for the same one. `refused`: the host did not take the last one, fetch another.

        Raises GrantExpired, when no more are to be had, and ServerUnavailable.
        """
        ...


@dataclass(frozen=True, slots=True)
class MasterLogin:
    """A master user's name and password. With a `separator` the login is mailbox, separator and name; else
    the mailbox goes as the authorisation identity (RFC 4616)."""

    name: str
    password: Secret
    separator: str = ""


OwnerCredential = Secret | AccessTokens
"""What a login of a mailbox's owner takes: a password, or a source of access tokens."""

Credential = OwnerCredential | MasterLogin
"""What a login takes."""


def dump(grant: DestinationGrant) -> Secret:
    """The grant as one text for the vault; the inverse of `load`."""
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
    """The grant that `dump` made the text of. Raises ValueError, without the text, for anything else."""
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
        pass  # each of them quotes what it read
    raise ValueError("what was sealed is no grant")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
