"""Grants of an import: sealed for the store, opened for a leg, revoked at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import structlog

from importer.domain import import_state
from importer.domain.csv_import.import_rows import Row
from importer.domain.csv_import.login_method import SignInMethod
from importer.domain.import_filter import ImportFilter
from importer.domain.model import Account, Import, ImportId
from importer.domain.people.actor import Actor
from importer.ports.leases import Lease
from importer.ports.store import SealedGrants
from importer.ports.vault import VaultError
from importer.service.deps import Deps
from providers.endpoint import Secret
from providers.errors import GrantExpired, LoginRejected, MasterRefused, Side
from providers.frozen import frozen
from providers.grants import (
    Credential,
    DestinationGrant,
    Grant,
    MasterGrant,
    MasterLogin,
    OAuthGrant,
    PasswordGrant,
    dump,
    load,
)
from providers.mailbox_access import MailboxAccess
from providers.text import Text

_ALL: Final = 2**31 - 1

log = structlog.get_logger()


@frozen
class OpenedGrants:
    """Both grants of an import."""

    source: Grant
    destination: DestinationGrant

    def of(self, side: Side) -> DestinationGrant:
        return self.source if side is Side.SOURCE else self.destination

    @property
    def pending_sides(self) -> tuple[Side, ...]:
        """The sides whose owners have not signed in yet."""
        return tuple(side for side in Side if is_pending(self.of(side)))


@frozen
class Credentials:
    """The credentials for both mailboxes, for the duration of a leg."""

    source: Credential
    destination: Credential


def seal_grants(deps: Deps, import_id: ImportId, opened: OpenedGrants) -> SealedGrants:
    """Both grants, sealed for that import."""
    return SealedGrants(
        seal_grant(deps, import_id, Side.SOURCE, opened.source),
        seal_grant(deps, import_id, Side.DESTINATION, opened.destination),
    )


def seal_grant(deps: Deps, import_id: ImportId, side: Side, grant: DestinationGrant) -> bytes:
    """The grant of one side, sealed for that import."""
    return deps.vault.seal(dump(grant), grant_context(import_id, side))


def open_grants(deps: Deps, import_id: ImportId, sealed: SealedGrants) -> OpenedGrants:
    """Decrypt both grants. Raises VaultError if they cannot be opened with the current key."""
    source = deps.vault.open(sealed.source, grant_context(import_id, Side.SOURCE))
    destination = deps.vault.open(sealed.destination, grant_context(import_id, Side.DESTINATION))
    try:
        source_grant, destination_grant = load(source), load(destination)
    except ValueError:
        raise VaultError(Text("installation.grant_unusable")) from None
    if isinstance(source_grant, MasterGrant):
        raise VaultError(Text("installation.grant_unusable"))
    return OpenedGrants(source_grant, destination_grant)


def credentials(deps: Deps, import_: Import, opened: OpenedGrants, lease: Lease) -> Credentials:
    """The credentials of an import. Replaced refresh tokens are stored under `lease`, the import's lease.

    Raises GrantExpired, and LoginRejected if an account's login is not the address whose owner gave consent.
    """

    def credential(side: Side) -> Credential:
        def save_grant(renewed: OAuthGrant) -> None:
            deps.store.keep_grant(import_.id, side, seal_grant(deps, import_.id, side, renewed), lease)

        return _credential(deps, import_.account(side), opened.of(side), side, save_grant)

    return Credentials(credential(Side.SOURCE), credential(Side.DESTINATION))


def row_credentials(deps: Deps, actor: Actor, row: Row) -> Credentials:
    """The credentials for a row, with nothing stored.

    Raises GrantExpired if a mailbox needs its owner's consent, which cannot be requested here, and Refused if
    the actor's right does not cover the destination.
    """
    opened = grants_of(deps, actor, row)
    for side in opened.pending_sides:
        raise GrantExpired(Text("grant_expired.needs_owner"), side=side)
    return Credentials(
        _credential(deps, row.source, opened.source, Side.SOURCE, lambda _renewed: None),
        _credential(deps, row.destination, opened.destination, Side.DESTINATION, lambda _renewed: None),
    )


def _credential(
    deps: Deps,
    account: Account,
    grant: DestinationGrant,
    side: Side,
    save_grant: Callable[[OAuthGrant], object],
) -> Credential:
    """The credential for `account`.

    A token may open several mailboxes: shared ones at Microsoft, all of an organisation's. Therefore the
    login must be the address: the owner consented for the address, and the organisation's domains are checked
    with it.
    """
    if isinstance(grant, MasterGrant):
        return master_login(deps, account, grant)
    if not isinstance(grant, PasswordGrant) and account.login.lower() != account.address.lower():
        raise LoginRejected(
            Text("login_rejected.other_login", address=account.address, login=account.login),
            side=side,
        )
    try:
        return deps.access.credential(grant, account.address, save_grant)
    except GrantExpired as error:
        error.side = side
        raise


def master_login(deps: Deps, account: Account, grant: MasterGrant) -> MasterLogin:
    """A login as the currently configured master user, for that account alone. Raises MasterRefused."""
    if deps.master_user is None:
        raise MasterRefused(Text("master_refused.gone"), side=Side.DESTINATION)
    return deps.master_user.login_for(grant, account.address, account.login, account.endpoint)


# --- Grants of new imports --------------------------------------------------------------------------


def sign_in_method(access: MailboxAccess, *, organisation: bool) -> SignInMethod:
    """Return the check whether a mailbox needs no password; `organisation` as in `Actor`."""

    def can_sign_in(provider: str, mailbox: str) -> bool:
        return access.can_sign_in(provider) or (
            organisation and access.organisation_grant(provider, mailbox) is not None
        )

    return can_sign_in


def grants_of(deps: Deps, actor: Actor, row: Row) -> OpenedGrants:
    """The grants of a row for both sides. Raises Refused."""
    return OpenedGrants(_source_grant(deps, actor, row), _destination_grant(deps, actor, row))


def _source_grant(deps: Deps, actor: Actor, row: Row) -> Grant:
    """The grant of a row for its source.

    It is the password, the owner's grant, an organisation's grant (if the actor may use it), or a pending
    grant for the owner's consent.
    """
    if row.source_password is not None:
        return PasswordGrant(row.source_password)
    if row.source_grant is not None:
        return row.source_grant
    return _without_password(deps, actor, row.source_sign_in, row.source.address)


def _destination_grant(deps: Deps, actor: Actor, row: Row) -> DestinationGrant:
    """The grant of a row for its destination, as `_source_grant`.

    With neither a password, a grant nor a sign-in provider, it is the host's master user, if the actor's
    right covers the mailbox. Raises Refused.
    """
    if row.destination_password is not None:
        return PasswordGrant(row.destination_password)
    if row.destination_grant is not None:
        return row.destination_grant
    if row.by_master:
        return actor.right.grant(row.destination)
    return _without_password(deps, actor, row.destination_sign_in, row.destination.address)


def _without_password(deps: Deps, actor: Actor, sign_in: str, mailbox: str) -> Grant:
    grant = deps.access.organisation_grant(sign_in, mailbox) if actor.organisation else None
    return grant or OAuthGrant(sign_in, Secret(""))


def organisation_credential(deps: Deps, account: Account, sign_in: str, side: Side) -> Credential | None:
    """The credential from an organisation's grant for that mailbox; None if there is none.

    For operators of the installation only. Raises what `credentials` raises.
    """
    grant = deps.access.organisation_grant(sign_in, account.address)
    return None if grant is None else _credential(deps, account, grant, side, lambda _renewed: None)


def is_pending(grant: DestinationGrant) -> bool:
    """Whether the owner has not signed in yet."""
    return isinstance(grant, OAuthGrant) and not grant.refresh_token.reveal()


# --- At the end -----------------------------------------------------------------------------------------


def consents_to_revoke(deps: Deps, import_: Import) -> tuple[Grant, ...]:
    """The owners' consents to revoke when this import has ended.

    A consent is not revoked while another import uses the same mailbox: at Google, revoking one consent ends
    all consents of that owner.
    """
    sealed = deps.store.grants(import_.id) if deps.revokes_consents else None
    if sealed is None:
        return ()
    try:
        opened = open_grants(deps, import_.id, sealed)
    except VaultError:
        return ()
    return tuple(
        grant
        for side in Side
        if isinstance(grant := opened.of(side), OAuthGrant)
        and side not in opened.pending_sides
        and not is_shared(deps, import_, side)
    )


def revoke_consents(deps: Deps, import_id: ImportId, consents: Iterable[Grant]) -> None:
    """Revoke them at their providers. Best effort: the owners can do so, too."""
    for consent in consents:
        log.info("consent.given_back", import_id=import_id, done=deps.access.revoke_consent(consent))


def is_shared(deps: Deps, import_: Import, side: Side) -> bool:
    """Whether another running import uses the mailbox of that side with its owner's consent.

    An import that only names the mailbox does not count: anybody can submit one.
    """
    return has_running_consent(deps, import_.account(side), except_=import_.id)


def has_running_consent(deps: Deps, account: Account, *, except_: str = "") -> bool:
    """Whether a running import uses that mailbox with its owner's consent; `except_` is the id of one that
    does not count."""
    others = deps.store.imports(ImportFilter(states=tuple(import_state.ALIVE)), limit=_ALL)
    return any(
        other.id != except_
        and any(other.account(s).key == account.key and _has_consent(deps, other, s) for s in Side)
        for other in others
    )


def _has_consent(deps: Deps, import_: Import, side: Side) -> bool:
    """Whether the owner's consent is stored; True if that cannot be read."""
    sealed = deps.store.grants(import_.id)
    if sealed is None:
        return False
    try:
        grant = open_grants(deps, import_.id, sealed).of(side)
    except VaultError:
        return True
    return isinstance(grant, OAuthGrant) and not is_pending(grant)


def grant_context(import_id: ImportId, side: Side) -> str:
    """The vault context of the grant of that side."""
    return f"{import_id}:{side.value}"
