"""What tells mailboxes apart, and with them the people that they belong to."""

from __future__ import annotations

import pytest

from importer.domain.model import Account
from importer.domain.people.identities import person_of
from providers.endpoint import Endpoint
from providers.id_token import Identity


def account(login: str, host: str = "imap.new.example", port: int = 993) -> Account:
    return Account(login, login, Endpoint(host, port))


def test_two_ways_of_writing_one_mailbox_are_one() -> None:
    one = account("Jürgen@New.Example")
    assert one.key == account("JÜRGEN@new.example", "IMAP.new.example.", 143).key
    assert one.key != account("jürgen@new.example", port=4993).key


@pytest.mark.parametrize(
    ("one", "other"),
    [("strauß", "strauss"), ("\ufb01ona", "fiona"), ("\u017fue", "sue"), ("i\u0307da", "ida")],
)
def test_two_mailboxes_are_never_one_person(one: str, other: str) -> None:
    """Who is let into one of them would see the imports of the other."""
    assert person_of(account(f"{one}@new.example")) != person_of(account(f"{other}@new.example"))
    assert not Identity((f"{one}@new.example",)).owns(f"{other}@new.example")
