"""The credentials of an import whose passwords are still stored, for reading its mailboxes."""

from __future__ import annotations

from importer.domain.model import Import
from importer.ports.vault import VaultError
from importer.service.access.sealed_grants import Credentials, master_login, open_grants
from importer.service.deps import Deps
from providers.errors import MasterRefused
from providers.grants import MasterGrant, PasswordGrant


def stored_credentials(deps: Deps, import_: Import) -> Credentials | None:
    """None unless stored credentials open both mailboxes: passwords, at the destination also the master user.

    An owner's consent is left to the import: using it may replace it.
    """
    sealed = deps.store.grants(import_.id)
    if sealed is None:
        return None
    try:
        opened = open_grants(deps, import_.id, sealed)
        if not isinstance(opened.source, PasswordGrant):
            return None
        match opened.destination:
            case PasswordGrant(password):
                return Credentials(opened.source.password, password)
            case MasterGrant() as grant:
                return Credentials(opened.source.password, master_login(deps, import_.destination, grant))
            case _:
                return None
    except (VaultError, MasterRefused):
        return None
