"""`mailhaul detect`: an address of every host in the catalog, and customer domains."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from importer.cli import detect_command
from importer.cli.command_table import console
from importer.cli.exit_codes import Usage
from importer.cli.mailbox_options import account
from importer.i18n.translations import texts
from providers.catalog import Catalog
from providers.endpoint import Endpoint
from providers.provider import LoginKind, Provider
from tests.recorded import Recorded, domains, recorded

CATALOG = Catalog.load()


@pytest.fixture(autouse=True)
def answers(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    answers_ = recorded()
    monkeypatch.setattr(detect_command, "directory", lambda _settings: answers_.directory())
    return answers_


def detect(*words: str) -> Result:
    return CliRunner().invoke(console, ["detect", *words])


def detected(*words: str, ends: int = 0) -> dict[str, Any]:
    result = detect(*words, "--json")
    assert result.exit_code == ends, result.output
    facts: dict[str, Any] = json.loads(result.stdout)
    return facts


def address_at(provider: Provider) -> str:
    """An address at a domain of the host, else at a customer domain from the recorded answers."""
    if provider.domains:
        return f"ada@{provider.domains[0]}"
    [*_, name] = [row["name"] for row in domains() if row.get("provider") == provider.id]
    return f"ada@{name}"


@pytest.mark.parametrize("provider", list(CATALOG), ids=lambda provider: provider.id)
def test_every_host_of_the_catalog_is_detected(provider: Provider) -> None:
    address = address_at(provider)
    facts = detected(address, ends=2 if provider.passwords_unavailable else 0)
    assert facts["provider"] == {"id": provider.id, "name": provider.name}
    assert facts["evidence"]
    if provider.source_endpoint is not None:
        assert facts["server"] == str(provider.source_endpoint)
        assert facts["login"] == provider.login_name(address)
    assert [step["step"] for step in facts["first"]] == [
        texts("en").typeset(step.texts.en) for step in provider.steps_for(LoginKind.PASSWORD)
    ]
    assert (facts["unavailable"] or "") == texts("en").typeset(provider.passwords_unavailable)
    text = " ".join(detect(address, "--language", "de").output.split())
    for step in provider.steps_for(LoginKind.PASSWORD):
        assert provider.passwords_unavailable or step.texts.de in text


@pytest.mark.parametrize("row", domains(), ids=lambda row: row["name"])
def test_customer_domains_are_detected(row: dict[str, Any]) -> None:
    """The login is the whole address, unless the domain's autoconfig says otherwise."""
    providers = {provider.id: provider for provider in CATALOG}
    provider = providers.get(row.get("provider", ""))
    address = f"ada@{row['name']}"
    facts = detected(address, ends=2 if provider and provider.passwords_unavailable else 0)
    assert facts["found_by"] == row["how"]
    assert facts["server"] == (str(provider.source_endpoint) if provider else row["server"])
    assert facts["login"] == ("ada" if row["name"] == "own-server.example" else address)
    if provider is not None:
        assert facts["provider"]["id"] == provider.id
    else:
        assert row["server"] in " ".join(facts["evidence"])


def test_every_recorded_answer_has_a_source_and_date() -> None:
    rows = domains()
    assert len(rows) >= 10
    for row in rows:
        assert row["source"][-4:].strip(), row["name"]
        assert any(f"20{year}-" in row["source"] for year in range(10, 40)), row["name"]


def test_with_sign_in_set_up_the_first_step_is_to_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    assert detected("ada@outlook.com", ends=2)["unavailable"]
    facts = detected("ada@gmail.com")  # an app password works without it
    assert facts["way"] == "password"
    assert "two-factor sign-in" in facts["first"][0]["step"]
    for name in ("GOOGLE", "MICROSOFT"):
        monkeypatch.setenv(f"MAILHAUL_{name}_CLIENT_ID", "mailhaul")
        monkeypatch.setenv(f"MAILHAUL_{name}_CLIENT_SECRET", "canary")
    monkeypatch.setenv("MAILHAUL_PUBLIC_URL", "https://mailhaul.example.org")
    for address in ("ada@outlook.com", "ada@google-customer.example"):
        facts = detected(address)
        assert (facts["way"], facts["unavailable"]) == ("sign_in", None)
        assert facts["first"][0]["step"].startswith("Sign in with ")
        assert not any("app password" in step["step"] for step in facts["first"])
    assert detected("ada@proton.me", ends=2)["unavailable"]
    monkeypatch.setenv("MAILHAUL_MICROSOFT_ORGANISATION_TENANT", "old.example")
    monkeypatch.setenv("MAILHAUL_MICROSOFT_ORGANISATION_DOMAINS", "microsoft-customer.example")
    facts = detected("ada@microsoft-customer.example")  # organisation access: no owner needs to sign in
    assert (facts["way"], facts["first"]) == ("organisation", [])
    assert detected("ada@outlook.com")["way"] == "sign_in"


def test_the_evidence_consists_of_sentences() -> None:
    text = " ".join(detect("ada@hostpoint-customer.example").output.split())
    assert "MX mx2.mail.hostpoint.ch ends in mail.hostpoint.ch, which is Hostpoint." in text
    assert (
        "First: 1. Use the password of this mailbox, not that of your customer account at Hostpoint." in text
    )
    text = " ".join(detect("ada@own-server.example").output.split())
    assert "MX mail.own-server.example belongs to no provider that Mailhaul knows." in text
    assert "https://autoconfig.own-server.example/mail/config-v1.1.xml does not exist." in text
    assert "config-v1.1.xml names imaps://mail.own-server.example." in text
    assert "1. Switch on IMAP. (https://own-server.example/imap)" in text


def test_without_a_network_the_server_must_be_given(answers: Recorded) -> None:
    answers.broken = "lookup.no_name_server"
    result = detect("ada@own-server.example")
    text = " ".join(result.output.split())
    assert result.exit_code == 2
    assert "could not be looked up: no name server answers." in text
    assert "Nothing could be looked up: there seems to be no network connection." in text
    assert "Ask the operator of the mailbox for its IMAP server. It may be imap.own-server.example." in text
    assert not any(query.startswith("probe") for query in answers.asked)
    facts = detected("ada@own-server.example", ends=2)
    assert (facts["offline"], facts["guess"]) == (True, "imaps://imap.own-server.example")
    assert detected("ada@gmx.de")["server"] == "imaps://imap.gmx.net"  # the catalog needs no network


def test_the_server_of_an_unknown_domain_must_be_given(answers: Recorded) -> None:
    facts = detected("ada@nobody.example", ends=2)
    assert (facts["provider"], facts["offline"], facts["found_by"]) == (None, False, "nothing")
    assert "imap.nobody.example and mail.nobody.example were tried; neither answers." in facts["evidence"]


@pytest.mark.parametrize("word", ["ada", "ada@", "@old.example", "a da@old.example"])
def test_an_invalid_address_is_rejected_without_lookups(answers: Recorded, word: str) -> None:
    assert detect(word).exception
    assert not answers.asked


def test_network_data_is_made_safe_for_the_terminal(answers: Recorded) -> None:
    answers.mx["nobody.example"] = ["mx.[bold]\x1b[31m.example"]
    text = detect("ada@nobody.example").output
    assert "\x1b" not in text
    assert "[bold]" in text


# --- Copying from a bare address -----------------------------------------------------------------------


def test_an_address_alone_is_a_valid_source(answers: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    discover = answers.directory().discover
    account_ = account("--from", "ada@own-server.example", allow_plaintext=False, discover=discover)
    assert (account_.address, account_.login) == ("ada@own-server.example", "ada")
    assert account_.endpoint == Endpoint("mail.own-server.example")
    assert account_.public_only
    printed = capsys.readouterr().err
    assert "Switch on IMAP. https://own-server.example/imap" in printed  # before the password prompt
    yahoo = account("--from", "ada@yahoo.com", allow_plaintext=False, discover=discover)
    assert yahoo.endpoint == Endpoint("export.imap.mail.yahoo.com")
    yahoo = account("--to", "ada@yahoo.com", allow_plaintext=False, discover=discover)
    assert yahoo.endpoint == Endpoint("imap.mail.yahoo.com")  # the export server is read-only
    with_server = account("--from", "imaps://ada@old.example", allow_plaintext=False, discover=discover)
    assert with_server.endpoint == Endpoint("old.example")
    assert not with_server.public_only


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("ada@outlook.com", "Microsoft"),
        ("ada@nobody.example", "no mail server was found for ada@nobody.example"),
        ("ada@proton.me", "Proton"),
        ("a da@gmx.de", "not a mail address"),
    ],
)
def test_an_address_that_cannot_be_a_source_has_a_reason(answers: Recorded, address: str, says: str) -> None:
    with pytest.raises(Usage, match=says):
        account("--from", address, allow_plaintext=False, discover=answers.directory().discover)
