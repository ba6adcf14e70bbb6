"""The keys that identify mailboxes and their owners."""

from __future__ import annotations

import pytest

from importer.domain.model import Account
from importer.domain.people.identities import person_of
from providers.endpoint import Endpoint
from providers.sign_in_providers import SIGN_IN_PROVIDERS


def account(login: str, host: str = "imap.new.example", port: int = 993) -> Account:
    return Account(login, login, Endpoint(host, port))


def test_spellings_of_one_mailbox_have_one_key() -> None:
    mailbox = account("Jürgen@New.Example")
    assert mailbox.key == account("JÜRGEN@new.example", "IMAP.new.example.", 143).key
    assert mailbox.key != account("jürgen@new.example", port=4993).key


@pytest.mark.parametrize(
    ("one", "other"),
    [("strauß", "strauss"), ("\ufb01ona", "fiona"), ("\u017fue", "sue"), ("i\u0307da", "ida")],
)
def test_different_mailboxes_are_different_people(one: str, other: str) -> None:
    """Otherwise the owner of one mailbox could see the imports of the other."""
    assert person_of(account(f"{one}@new.example")) != person_of(account(f"{other}@new.example"))
    for provider in SIGN_IN_PROVIDERS.values():
        spelling = provider.canonical_address
        assert spelling(f"{one}@new.example") != spelling(f"{other}@new.example")
