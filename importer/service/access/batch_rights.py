"""Who has the batch right: people by setting or claim, and programs by their token."""

from __future__ import annotations

from importer.domain.model import Account
from importer.domain.people.api_tokens import ApiToken, TokenScope
from importer.domain.people.batch_right import NO_RIGHT, BatchRight, administered
from importer.service.access.sealed_grants import master_login
from importer.service.access.web_sessions import SessionData
from importer.service.deps import Deps
from providers.endpoint import Secret
from providers.grants import Credential


def session_batch_right(deps: Deps, remembered: SessionData) -> BatchRight:
    """That of a person on our pages: by the mailboxes at our host that they proved to be theirs or that an
    issuer vouches for, as the settings are now, and by what the issuer said when they signed in."""
    if deps.master_user is None:
        return NO_RIGHT
    server = deps.master_user.server
    # The login, not the address: it is what the host let in.
    own = [one.account.login for one in remembered.mailboxes if one.account.endpoint == server]
    return BatchRight(server, administered(deps.administrators, own, remembered.domains))


def token_batch_right(deps: Deps, token: ApiToken) -> BatchRight:
    """That of a program."""
    if deps.master_user is None or not token.may(TokenScope.BATCH):
        return NO_RIGHT
    return BatchRight(deps.master_user.server, token.domains, everywhere=TokenScope.ADMIN in token.scopes)


def destination_credential(
    deps: Deps, right: BatchRight, account: Account, password: Secret | None
) -> Credential:
    """What opens a mailbox that mail was or is to be brought into: its password, without one the master user.
    Raises Refused where the right does not cover it, and MasterRefused."""
    return password if password is not None else master_login(deps, account, right.grant(account))
