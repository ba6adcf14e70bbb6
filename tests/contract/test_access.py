"""The contract of `providers.mailbox_access.Access`: in memory, and with an authorisation server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from importer.oauth_setup import configured_access
from importer.settings import Settings
from providers.endpoint import Secret
from providers.errors import GrantExpired, LoginRejected
from providers.grants import OAuthGrant, OrganisationGrant, OwnerCredential, PasswordGrant
from providers.mailbox_access import MailboxAccess, PasswordsOnly, Question
from tests.fakes.mailbox_access import MemoryAccess
from tests.rehearsal.applications import application, overlay
from tests.rehearsal.authority import Authority, authority
from tests.rehearsal.certificates import CertificateAuthority

ADA = "ada@old.example"


@dataclass(frozen=True)
class Ways:
    """What owners can be asked for at Google, and old.example let us into; nothing at Microsoft."""

    access: MailboxAccess
    answer: Callable[[Question, str], dict[str, str]]  # the owner of that mailbox says yes
    rotates: Callable[[], None]


@pytest.fixture(scope="module")
def server(ca: CertificateAuthority) -> Iterator[Authority]:
    with authority(ca) as running:
        yield running


@pytest.fixture(params=["memory", "authority"])
def ways(request: pytest.FixtureRequest, tmp_path: Path) -> Ways:
    if request.param == "memory":
        memory = MemoryAccess(frozenset({"google"}), {"google": frozenset({"old.example"})}, rotates=True)
        return Ways(memory, memory.sign_in, lambda: None)
    server: Authority = request.getfixturevalue("server")
    server.as_new()
    key_file = tmp_path / "service-account.json"
    server.add_service_account(key_file, "old.example")
    real = configured_access(
        Settings.load(
            ca_file=server.ca_file,
            **overlay(application(server, "google")),
            google_service_account_file=key_file,
            google_organisation_domains="old.example",
        )
    )
    return Ways(
        real,
        lambda question, mailbox: server.browse(question.url, account=mailbox),
        lambda: setattr(server.rules, "rotates", True),
    )


def given(ways: Ways, mailbox: str = ADA) -> OAuthGrant:
    question = ways.access.begin_sign_in("google", mailbox)
    return ways.access.complete_sign_in("google", question, ways.answer(question, mailbox), mailbox).grant


def token(credential: OwnerCredential) -> str:
    assert not isinstance(credential, Secret)
    return credential.access_token().reveal()


def test_what_is_not_set_up_is_neither_asked_nor_opened(ways: Ways) -> None:
    for closed, provider in ((ways.access, "microsoft"), (PasswordsOnly(), "google")):
        assert not closed.can_sign_in(provider)
        assert not closed.can_sign_in(None)
        assert closed.organisation_grant(provider, ADA) is None
        with pytest.raises(LoginRejected, match=f"not set up for signing in with {provider.capitalize()}"):
            closed.begin_sign_in(provider, ADA)
        for grant in (OAuthGrant(provider, Secret("r")), OrganisationGrant(provider)):
            with pytest.raises(GrantExpired, match="not set up"):
                closed.credential(grant, ADA, print)


def test_a_password_is_what_a_login_takes(ways: Ways) -> None:
    for way in (ways.access, PasswordsOnly()):
        assert way.credential(PasswordGrant(Secret("pw")), ADA, print) == Secret("pw")
        assert not way.revoke_consent(PasswordGrant(Secret("pw")))


def test_an_organisation_opens_its_own_mailboxes_and_no_others(ways: Ways) -> None:
    grant = ways.access.organisation_grant("google", ADA)
    assert grant == OrganisationGrant("google")
    assert ways.access.organisation_grant("google", "ada@old.example.org") is None
    assert token(ways.access.credential(grant, ADA, print))
    with pytest.raises(GrantExpired):
        ways.access.credential(grant, "ada@elsewhere.example", print)


def test_a_question_comes_back_as_a_grant(ways: Ways) -> None:
    assert ways.access.can_sign_in("google")
    grant = given(ways)
    assert grant.provider == "google"
    assert token(ways.access.credential(grant, ADA, lambda _renewed: None))


def test_only_the_url_may_be_forgotten_of_a_question(ways: Ways) -> None:
    question = ways.access.begin_sign_in("google", ADA)
    kept = Question("", question.state, question.verifier, question.nonce)
    assert ways.access.complete_sign_in("google", kept, ways.answer(question, ADA), ADA).grant.refresh_token


def test_an_answer_to_another_question_is_refused(ways: Ways) -> None:
    one, other = ways.access.begin_sign_in("google", ADA), ways.access.begin_sign_in("google", ADA)
    with pytest.raises(LoginRejected, match="another sign-in"):
        ways.access.complete_sign_in("google", one, ways.answer(other, ADA), ADA)


def test_another_mailbox_than_the_one_asked_for_is_refused(ways: Ways) -> None:
    question = ways.access.begin_sign_in("google", ADA)
    with pytest.raises(LoginRejected, match=r"signed in.* as grace@old\.example.*the mailbox is ada@old"):
        ways.access.complete_sign_in("google", question, ways.answer(question, "grace@old.example"), ADA)


def test_a_replaced_refresh_token_is_kept_before_the_new_token_is_used(ways: Ways) -> None:
    ways.rotates()
    grant = given(ways)
    kept: list[OAuthGrant] = []
    assert token(ways.access.credential(grant, ADA, kept.append))
    assert len(kept) == 1
    assert kept[0].refresh_token != grant.refresh_token
    assert token(ways.access.credential(kept[0], ADA, kept.append))


def test_what_was_given_can_be_given_back(ways: Ways) -> None:
    assert ways.access.revoke_consent(given(ways))
