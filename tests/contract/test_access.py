"""The contract of `providers.mailbox_access.MailboxAccess`: in memory and with an authorisation server."""

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
class Bench:
    """Google is set up for owner consent and for the organisation old.example; Microsoft is not set up."""

    access: MailboxAccess
    answer: Callable[[Question, str], dict[str, str]]  # the owner of that mailbox agrees
    rotates: Callable[[], None]


@pytest.fixture(scope="module")
def server(ca: CertificateAuthority) -> Iterator[Authority]:
    with authority(ca) as running:
        yield running


@pytest.fixture(params=["memory", "authority"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    if request.param == "memory":
        memory = MemoryAccess(frozenset({"google"}), {"google": frozenset({"old.example"})}, rotates=True)
        return Bench(memory, memory.sign_in, lambda: None)
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
    return Bench(
        real,
        lambda question, mailbox: server.browse(question.url, account=mailbox),
        lambda: setattr(server.rules, "rotates", True),
    )


def consent_grant(bench: Bench, mailbox: str = ADA) -> OAuthGrant:
    question = bench.access.begin_sign_in("google", mailbox)
    return bench.access.complete_sign_in("google", question, bench.answer(question, mailbox), mailbox).grant


def token(credential: OwnerCredential) -> str:
    assert not isinstance(credential, Secret)
    return credential.access_token().reveal()


def test_a_provider_that_is_not_set_up_offers_no_sign_in_and_no_grant(bench: Bench) -> None:
    for access, provider in ((bench.access, "microsoft"), (PasswordsOnly(), "google")):
        assert not access.can_sign_in(provider)
        assert not access.can_sign_in(None)
        assert access.organisation_grant(provider, ADA) is None
        with pytest.raises(LoginRejected, match=f"login_rejected.not_set_up .*{provider.capitalize()}"):
            access.begin_sign_in(provider, ADA)
        for grant in (OAuthGrant(provider, Secret("r")), OrganisationGrant(provider)):
            with pytest.raises(GrantExpired, match="not_set_up"):
                access.credential(grant, ADA, print)


def test_a_password_grant_yields_the_password_as_credential(bench: Bench) -> None:
    for access in (bench.access, PasswordsOnly()):
        assert access.credential(PasswordGrant(Secret("pw")), ADA, print) == Secret("pw")
        assert not access.revoke_consent(PasswordGrant(Secret("pw")))


def test_an_organisation_grant_covers_only_its_own_mailboxes(bench: Bench) -> None:
    grant = bench.access.organisation_grant("google", ADA)
    assert grant == OrganisationGrant("google")
    assert bench.access.organisation_grant("google", "ada@old.example.org") is None
    assert token(bench.access.credential(grant, ADA, print))
    with pytest.raises(GrantExpired):
        bench.access.credential(grant, "ada@elsewhere.example", print)


def test_completing_a_sign_in_returns_a_grant(bench: Bench) -> None:
    assert bench.access.can_sign_in("google")
    grant = consent_grant(bench)
    assert grant.provider == "google"
    assert token(bench.access.credential(grant, ADA, lambda _renewed: None))


def test_a_sign_in_completes_without_the_url_of_its_question(bench: Bench) -> None:
    question = bench.access.begin_sign_in("google", ADA)
    stored = Question("", question.state, question.verifier, question.nonce)
    assert bench.access.complete_sign_in(
        "google", stored, bench.answer(question, ADA), ADA
    ).grant.refresh_token


def test_an_answer_to_another_question_is_refused(bench: Bench) -> None:
    question, other = bench.access.begin_sign_in("google", ADA), bench.access.begin_sign_in("google", ADA)
    with pytest.raises(LoginRejected, match="other_sign_in"):
        bench.access.complete_sign_in("google", question, bench.answer(other, ADA), ADA)


def test_a_sign_in_to_another_mailbox_than_requested_is_refused(bench: Bench) -> None:
    question = bench.access.begin_sign_in("google", ADA)
    with pytest.raises(LoginRejected, match=r"other_account .*mailbox=ada@old.*signed_in=grace@old\.example"):
        bench.access.complete_sign_in("google", question, bench.answer(question, "grace@old.example"), ADA)


def test_a_replaced_refresh_token_is_saved_before_the_access_token_is_used(bench: Bench) -> None:
    bench.rotates()
    grant = consent_grant(bench)
    saved: list[OAuthGrant] = []
    assert token(bench.access.credential(grant, ADA, saved.append))
    assert len(saved) == 1
    assert saved[0].refresh_token != grant.refresh_token
    assert token(bench.access.credential(saved[0], ADA, saved.append))


def test_a_consent_can_be_revoked(bench: Bench) -> None:
    assert bench.access.revoke_consent(consent_grant(bench))
