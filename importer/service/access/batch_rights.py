"""Determine the batch right: of people by setting or claim, of programs by token."""

from __future__ import annotations

from importer.domain.model import Account
from importer.domain.people.api_tokens import ApiToken, TokenScope
from importer.domain.people.batch_right import NO_RIGHT, BatchRight, administered
from importer.service.access.sealed_grants import master_login
from importer.service.access.session_data import SessionData
from importer.service.deps import Deps
from providers.endpoint import Secret
from providers.grants import Credential


def session_batch_right(deps: Deps, session_data: SessionData) -> BatchRight:
    """The batch right of a web user under the current settings.

    It results from the user's mailboxes at the destination host, verified by a login or by an OpenID issuer,
    and from the domains that the issuer named at sign-in.
    """
    if deps.master_user is None:
        return NO_RIGHT
    server = deps.master_user.server
    # The login, not the address: the host has authenticated the login.
    logins = [
        mailbox.account.login
        for mailbox in session_data.mailboxes
        if mailbox.account.endpoint == server and mailbox.gives_rights
    ]
    return BatchRight(server, administered(deps.administrators, logins, session_data.domains))


def token_batch_right(deps: Deps, token: ApiToken) -> BatchRight:
    """The batch right of an API client."""
    if deps.master_user is None or not token.may(TokenScope.BATCH):
        return NO_RIGHT
    return BatchRight(deps.master_user.server, token.domains, everywhere=TokenScope.ADMIN in token.scopes)


def destination_credential(
    deps: Deps, right: BatchRight, account: Account, password: Secret | None
) -> Credential:
    """The credential for a destination mailbox: its password, or without one the master user's login.

    Raises Refused if the right does not cover the mailbox, and MasterRefused.
    """
    return password if password is not None else master_login(deps, account, right.grant(account))
