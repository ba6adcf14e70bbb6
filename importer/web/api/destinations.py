"""The login method of each mailbox of a request: a password, or a method that needs none."""

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


def login_method(
    caller: ApiCaller, account: Account, side: Side, field_value: SecretStr
) -> tuple[Secret | None, str]:
    """The password of a mailbox and its `Provider.sign_in`; one of them is empty.

    If the field holds a password, it is used. Otherwise the owner signs in at the provider, or both are empty
    (None and "") for a destination that the token's batch right covers. Raises ProblemAnswer.
    """
    text, field = field_value.get_secret_value(), f"{side.value}_password"
    if not text:
        can_sign_in = sign_in_method(caller.deps.access, organisation=caller.is_admin)
        provider = caller.site.catalog.for_host(account.endpoint.host)
        sign_in = provider.sign_in if provider is not None else None
        if sign_in is not None and can_sign_in(sign_in, account.address):
            return None, sign_in
        if side is Side.DESTINATION:
            checked(caller.texts, field, partial(caller.batch_right.grant, account))
            return None, ""
    return checked(caller.texts, field, partial(password, text)), ""


def undo_login(caller: ApiCaller, import_: Import, field_value: SecretStr) -> Credential:
    """The credential for the destination of an import that is to be undone. Raises ProblemAnswer, and
    MasterRefused."""
    text, account = field_value.get_secret_value(), import_.destination
    if text:
        return checked(caller.texts, "destination_password", partial(password, text))
    if not caller.batch_right.covers(account):
        provider = caller.site.catalog.for_host(account.endpoint.host)
        try:
            credential = undo_credential(caller.deps, import_, provider, organisation=caller.is_admin)
        except UndoRefused as refused:
            raise ProblemAnswer("not_possible", refused.text, side=Side.DESTINATION) from None
        except MailError as error:
            raise mailbox_refused(error) from None
        if credential is not None:
            return credential
    checked(caller.texts, "destination_password", partial(caller.batch_right.grant, account))
    return destination_credential(caller.deps, caller.batch_right, account, None)
