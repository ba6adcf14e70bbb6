"""The ways into mailboxes that a request names: a password, or one of those that need none."""

from __future__ import annotations

from functools import partial

from pydantic import SecretStr

from importer.domain.csv_import.csv_cells import password
from importer.domain.model import Account, Import
from importer.service.access.batch_rights import destination_credential
from importer.service.access.sealed_grants import sign_in_method
from importer.service.imports.undo_import import UndoRefused, undo_credential
from importer.web.api.authentication import ApiCaller
from importer.web.api.problem_details import ProblemAnswer, checked, mailbox_refused
from providers.endpoint import Secret
from providers.errors import MailError, Side
from providers.grants import Credential


def way_in(caller: ApiCaller, account: Account, side: Side, given: SecretStr) -> tuple[Secret | None, str]:
    """Its password; or none, and where its owner signs in, "" where the right of the token opens a
    destination. Raises ProblemAnswer."""
    text, field = given.get_secret_value(), f"{side.value}_password"
    if not text:
        can = sign_in_method(caller.deps.access, organisation=caller.for_all)
        host = caller.site.catalog.for_host(account.endpoint.host)
        if host is not None and host.sign_in is not None and can(host.sign_in, account.address):
            return None, host.sign_in
        if side is Side.DESTINATION:
            checked(field, partial(caller.right.grant, account))
            return None, ""
    return checked(field, partial(password, text)), ""


def given_destination(caller: ApiCaller, import_: Import, given: SecretStr) -> Credential:
    """What a login to the destination takes, to undo the import. Raises ProblemAnswer, and MasterRefused."""
    text, account = given.get_secret_value(), import_.destination
    if text:
        return checked("destination_password", partial(password, text))
    if not caller.right.covers(account):
        host = caller.site.catalog.for_host(account.endpoint.host)
        try:
            found = undo_credential(caller.deps, import_, host, organisation=caller.for_all)
        except UndoRefused as refused:
            raise ProblemAnswer("not_possible", str(refused)) from None
        except MailError as error:
            raise mailbox_refused(error) from None
        if found is not None:
            return found
    checked("destination_password", partial(caller.right.grant, account))
    return destination_credential(caller.deps, caller.right, account, None)
