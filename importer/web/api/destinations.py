"""The way into a new mailbox that a request names: its password, or the token's batch right."""

from __future__ import annotations

from functools import partial

from pydantic import SecretStr

from importer.domain.cells import password
from importer.domain.model import Account
from importer.service.batch_right import destination_credential
from importer.web.api.access import Caller
from importer.web.api.problems import checked
from providers.grants import Credential
from providers.model import Secret

_FIELD = "destination_password"


def given_password(caller: Caller, account: Account, given: SecretStr) -> Secret | None:
    """None where the right of the token opens that mailbox. Raises ProblemAnswer."""
    text = given.get_secret_value()
    if text:
        return checked(_FIELD, partial(password, text))
    checked(_FIELD, partial(caller.right.grant, account))
    return None


def given_destination(caller: Caller, account: Account, given: SecretStr) -> Credential:
    """What a login to it takes. Raises ProblemAnswer, and MasterRefused."""
    return destination_credential(caller.deps, caller.right, account, given_password(caller, account, given))
