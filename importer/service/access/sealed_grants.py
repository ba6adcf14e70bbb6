"""What lets an import into its mailboxes: sealed for the store, opened for a leg, given back at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from importer.domain import import_state
from importer.domain.csv_import.import_rows import Row
from importer.domain.csv_import.login_method import SignInMethod
from importer.domain.model import Account, Import, ImportId
from importer.domain.people.batch_right import NO_RIGHT, BatchRight
from importer.ports.leases import Lease
from importer.ports.store import SealedGrants
from importer.ports.vault import VaultError
from importer.service.deps import Deps
from providers.endpoint import Secret
from providers.errors import GrantExpired, LoginRejected, MasterRefused, Side
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

_ALL: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class OpenedGrants:
    """Both grants of an import."""

    source: Grant
    destination: DestinationGrant

    def of(self, side: Side) -> DestinationGrant:
        return self.source if side is Side.SOURCE else self.destination

    @property
    def pending_sides(self) -> tuple[Side, ...]:
        """The sides whose owners have yet to sign in."""
        return tuple(side for side in Side if is_pending(self.of(side)))


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the logins to both mailboxes take, for the length of a leg."""

    source: Credential
    destination: Credential


def seal_grants(deps: Deps, import_id: ImportId, opened: OpenedGrants) -> SealedGrants:
    """Both, sealed for that import."""
    return SealedGrants(
        seal_grant(deps, import_id, Side.SOURCE, opened.source),
        seal_grant(deps, import_id, Side.DESTINATION, opened.destination),
    )


def seal_grant(deps: Deps, import_id: ImportId, side: Side, grant: DestinationGrant) -> bytes:
    """The grant of one side, sealed for that import."""
    return deps.vault.seal(dump(grant), grant_context(import_id, side))


def open_grants(deps: Deps, import_id: ImportId, sealed: SealedGrants) -> OpenedGrants:
    """Raises VaultError when they cannot be opened with the present key."""
    source = deps.vault.open(sealed.source, grant_context(import_id, Side.SOURCE))
    destination = deps.vault.open(sealed.destination, grant_context(import_id, Side.DESTINATION))
    try:
        opened, into = load(source), load(destination)
    except ValueError as error:
        raise VaultError(f"{error}; submit the import again") from None
    if isinstance(opened, MasterGrant):
        raise VaultError("a master user opens no mailbox to read it; submit the import again")
    return OpenedGrants(opened, into)


def credentials(deps: Deps, import_: Import, opened: OpenedGrants, lease: Lease) -> Credentials:
    """`lease` is the import's: a refresh token that is replaced is kept under it. Raises GrantExpired, and
    LoginRejected for a login that is not the mailbox whose owner was asked."""

    def credential(side: Side) -> Credential:
        def keep(renewed: OAuthGrant) -> None:
            deps.store.keep_grant(import_.id, side, seal_grant(deps, import_.id, side, renewed), lease)

        return _credential(deps, import_.account(side), opened.of(side), side, keep)

    return Credentials(credential(Side.SOURCE), credential(Side.DESTINATION))


def row_credentials(deps: Deps, row: Row, right: BatchRight) -> Credentials:
    """The same out of a row, with nothing stored: for whoever may use what an organisation allowed, with
    their batch right. Raises GrantExpired when only the owner can open a mailbox, and nobody can be asked
    here; Refused."""
    opened = grants_of(deps, row, organisation=True, right=right)
    for side in opened.pending_sides:
        raise GrantExpired(
            "Only its owner opens this mailbox, by signing in. Submit it with `batch`.", side=side
        )
    return Credentials(
        _credential(deps, row.source, opened.source, Side.SOURCE, lambda _renewed: None),
        _credential(deps, row.destination, opened.destination, Side.DESTINATION, lambda _renewed: None),
    )


def _credential(
    deps: Deps,
    account: Account,
    grant: DestinationGrant,
    side: Side,
    keep: Callable[[OAuthGrant], object],
) -> Credential:
    """What a login to `account` takes. One token may open several mailboxes: shared ones at Microsoft, all of
    an organisation's. The one that was asked for is the address: its owner was told of it, and the
    organisation's domains go by it."""
    if isinstance(grant, MasterGrant):
        return master_login(deps, account, grant)
    if not isinstance(grant, PasswordGrant) and account.login.lower() != account.address.lower():
        raise LoginRejected(
            f"{account.address} is to be opened as {account.login}, which is not what its owner was asked"
            " for. Name the mailbox by its own address, without another login.",
            side=side,
        )
    try:
        return deps.access.credential(grant, account.address, keep)
    except GrantExpired as error:
        error.side = side
        raise


def master_login(deps: Deps, account: Account, grant: MasterGrant) -> MasterLogin:
    """The master user as it is set by now, for that account alone. Raises MasterRefused."""
    if deps.master_user is None:
        raise MasterRefused(
            "Mailhaul has no master user at the new host any more. Submit the import again with the password"
            " of the new mailbox.",
            side=Side.DESTINATION,
        )
    return deps.master_user.login_for(grant, account.address, account.login, account.endpoint)


# --- Grants that are still to come ------------------------------------------------------------------


def sign_in_method(access: MailboxAccess, *, organisation: bool) -> SignInMethod:
    """Which mailboxes need no password; `organisation` as for `submit`."""

    def can(provider: str, mailbox: str) -> bool:
        return access.can_sign_in(provider) or (
            organisation and access.organisation_grant(provider, mailbox) is not None
        )

    return can


def grants_of(deps: Deps, row: Row, *, organisation: bool, right: BatchRight = NO_RIGHT) -> OpenedGrants:
    """What a row gives for both sides; `organisation` and `right` as for `submit`. Raises Refused."""
    return OpenedGrants(
        source_grant(deps, row, organisation=organisation),
        destination_grant(deps, row, organisation=organisation, right=right),
    )


def source_grant(deps: Deps, row: Row, *, organisation: bool) -> Grant:
    """What a row gives for its source: its password, with `organisation` what an organisation allowed, or
    a place for its owner's consent."""
    if row.source_password is not None:
        return PasswordGrant(row.source_password)
    return _without_password(deps, row.source_sign_in, row.source.address, organisation=organisation)


def destination_grant(
    deps: Deps, row: Row, *, organisation: bool, right: BatchRight = NO_RIGHT
) -> DestinationGrant:
    """The same for its destination; with neither a password nor a place to sign in, the host's master user
    if the `right` covers it. Raises Refused."""
    if row.destination_password is not None:
        return PasswordGrant(row.destination_password)
    if row.by_master:
        return right.grant(row.destination)
    return _without_password(
        deps, row.destination_sign_in, row.destination.address, organisation=organisation
    )


def _without_password(deps: Deps, sign_in: str, mailbox: str, *, organisation: bool) -> Grant:
    found = deps.access.organisation_grant(sign_in, mailbox) if organisation else None
    return found or OAuthGrant(sign_in, Secret(""))


def organisation_credential(deps: Deps, account: Account, sign_in: str, side: Side) -> Credential | None:
    """What an organisation allowed for that mailbox; None when there is nothing. For whoever runs the
    installation. Raises as `credentials` does."""
    found = deps.access.organisation_grant(sign_in, account.address)
    return None if found is None else _credential(deps, account, found, side, lambda _renewed: None)


def is_pending(grant: DestinationGrant) -> bool:
    """Whether its owner has yet to sign in."""
    return isinstance(grant, OAuthGrant) and not grant.refresh_token.reveal()


# --- At the end -----------------------------------------------------------------------------------------


def consents_to_revoke(deps: Deps, import_: Import) -> tuple[Grant, ...]:
    """The owners' consents that are to be given back when this import has ended. Not while another import
    lives on the same mailbox: at Google, giving one consent back ends all of that owner's."""
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


def is_shared(deps: Deps, import_: Import, side: Side) -> bool:
    """Whether another import under way uses the mailbox of that side, and may live on its owner's consent."""
    key = import_.account(side).key
    others = deps.store.imports(states=tuple(import_state.ALIVE), limit=_ALL)
    return any(
        other.id != import_.id and key in (other.source.key, other.destination.key) for other in others
    )


def grant_context(import_id: ImportId, side: Side) -> str:
    """What the grant of that side is sealed for."""
    return f"{import_id}:{side.value}"
