"""What lets us into a mailbox: a password, the owner's consent, or an organisation's.

A grant is what is kept, sealed; a credential is what a login takes. Nothing here touches the network.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final, Protocol, assert_never

from providers.model import Secret


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


Grant = PasswordGrant | OAuthGrant | OrganisationGrant

_PASSWORD: Final = "password"  # noqa: S105  # the name of a kind
_OAUTH: Final = "oauth"
_ORGANISATION: Final = "organisation"


class AccessTokens(Protocol):
    """Access tokens for one mailbox, fresh by themselves, for any number of threads."""

    def access_token(self, *, refused: bool = False) -> Secret:
        """A token that is good for the next half minute at least. Threads that ask while it is being
        fetched wait for the same one. `refused`: the host did not take the last one, fetch another.

        Raises GrantExpired, when no more are to be had, and ServerUnavailable.
        """
        ...


Credential = Secret | AccessTokens
"""What a login takes: a password, or a source of access tokens."""


def dump(grant: Grant) -> Secret:
    """The grant as one text for the vault; the inverse of `load`."""
    match grant:
        case PasswordGrant(password):
            facts = {"kind": _PASSWORD, "password": password.reveal()}
        case OAuthGrant(provider, refresh_token, tenant):
            facts = {"kind": _OAUTH, "provider": provider, "refresh_token": refresh_token.reveal()}
            facts |= {"tenant": tenant} if tenant else {}
        case OrganisationGrant(provider):
            facts = {"kind": _ORGANISATION, "provider": provider}
        case _:
            assert_never(grant)
    return Secret(json.dumps(facts, ensure_ascii=False))


def load(text: Secret) -> Grant:
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
    except (ValueError, TypeError, KeyError, AttributeError):
        pass  # each of them quotes what it read
    raise ValueError("what was sealed is no grant")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
