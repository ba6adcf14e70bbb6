"""What lets an import into its mailboxes: sealed for the store, opened for a leg, given back at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from importer.domain import state
from importer.domain.model import Account, Import, ImportId
from importer.domain.rows import Row, SignIn
from importer.ports import Lease, SealedGrants, VaultError
from importer.service.deps import Deps
from providers.access import Access
from providers.errors import GrantExpired, LoginRejected, Side
from providers.grants import Credential, Grant, OAuthGrant, PasswordGrant, dump, load
from providers.model import Secret

_ALL: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Opened:
    """Both grants of an import."""

    source: Grant
    destination: Grant


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the logins to both mailboxes take, for the length of a leg."""

    source: Credential
    destination: Credential


def seal(deps: Deps, import_id: ImportId, source: Grant, destination: Grant) -> SealedGrants:
    """Both, sealed for that import."""
    return SealedGrants(
        seal_source(deps, import_id, source),
        deps.vault.seal(dump(destination), destination_context(import_id)),
    )


def seal_source(deps: Deps, import_id: ImportId, source: Grant) -> bytes:
    """The grant for the source, sealed for that import."""
    return deps.vault.seal(dump(source), source_context(import_id))


def open_grants(deps: Deps, import_id: ImportId, sealed: SealedGrants) -> Opened:
    """Raises VaultError when they cannot be opened with the present key."""
    source = deps.vault.open(sealed.source, source_context(import_id))
    destination = deps.vault.open(sealed.destination, destination_context(import_id))
    try:
        return Opened(load(source), load(destination))
    except ValueError as error:
        raise VaultError(f"{error}; submit the import again") from None


def credentials(deps: Deps, import_: Import, opened: Opened, lease: Lease) -> Credentials:
    """`lease` is the import's: a refresh token that is replaced is kept under it. Raises GrantExpired, and
    LoginRejected for a login that is not the mailbox whose owner was asked."""
    _check_login(import_.source, opened.source)

    def keep(renewed: OAuthGrant) -> None:
        deps.store.keep_source(import_.id, seal_source(deps, import_.id, renewed), lease)

    def never(_renewed: OAuthGrant) -> None:
        raise AssertionError("destinations are opened by password")

    return Credentials(
        deps.access.credential(opened.source, import_.source.address, keep),
        deps.access.credential(opened.destination, import_.destination.address, never),
    )


def credentials_at_once(deps: Deps, row: Row) -> Credentials:
    """The same out of a row, with nothing stored: for whoever runs the installation. Raises GrantExpired
    when only the owner can open the source, and nobody can be asked here."""
    source = source_grant(deps, row, organisation=True)
    if isinstance(source, OAuthGrant):
        raise GrantExpired("Only its owner opens this mailbox, by signing in. Submit it with `batch`.")
    _check_login(row.source, source)
    opened = deps.access.credential(source, row.source.address, lambda _renewed: None)
    return Credentials(opened, row.destination_password)


def _check_login(account: Account, grant: Grant) -> None:
    """One token may open several mailboxes: shared ones at Microsoft, all of an organisation's. The one that
    was asked for is the address: its owner was told of it, and the organisation's domains go by it."""
    if not isinstance(grant, PasswordGrant) and account.login.lower() != account.address.lower():
        raise LoginRejected(
            f"{account.address} is to be opened as {account.login}, which is not what its owner was asked"
            " for. Name the mailbox by its own address, without another login.",
            side=Side.SOURCE,
        )


# --- Grants that are still to come ------------------------------------------------------------------


def sign_in(access: Access, *, organisation: bool) -> SignIn:
    """Which rows are good without a source password; `organisation` as for `submit`."""

    def can(provider: str, mailbox: str) -> bool:
        return access.asks(provider) or (
            organisation and access.organisation_grant(provider, mailbox) is not None
        )

    return can


def source_grant(deps: Deps, row: Row, *, organisation: bool) -> Grant:
    """What a row gives for its source: its password, with `organisation` what an organisation allowed, or
    a place for its owner's consent."""
    if row.source_password is not None:
        return PasswordGrant(row.source_password)
    found = deps.access.organisation_grant(row.sign_in, row.source.address) if organisation else None
    return found or OAuthGrant(row.sign_in, Secret(""))


def awaits_owner(grant: Grant) -> bool:
    """Whether its owner has yet to sign in."""
    return isinstance(grant, OAuthGrant) and not grant.refresh_token.reveal()


# --- At the end -----------------------------------------------------------------------------------------


def to_give_back(deps: Deps, import_: Import) -> Grant | None:
    """The owner's consent, if it is to be given back when this import has ended. None while another import
    reads the same mailbox: at Google, giving one consent back ends all of that owner's."""
    sealed = deps.store.grants(import_.id) if deps.gives_back else None
    if sealed is None:
        return None
    try:
        source = open_grants(deps, import_.id, sealed).source
    except VaultError:
        return None
    if not isinstance(source, OAuthGrant) or awaits_owner(source):
        return None
    return None if is_shared(deps, import_) else source


def is_shared(deps: Deps, import_: Import) -> bool:
    """Whether another import under way reads the same mailbox, and may live on its owner's consent."""
    others = deps.store.imports(states=tuple(state.ALIVE), limit=_ALL)
    return any(other.id != import_.id and other.source.key == import_.source.key for other in others)


def source_context(import_id: ImportId) -> str:
    """What the grant for the source is sealed for."""
    return f"{import_id}:source"


def destination_context(import_id: ImportId) -> str:
    """What the grant for the destination is sealed for."""
    return f"{import_id}:destination"
