"""Customers read the name of the brand wherever a text names this service; operators read Mailhaul."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from markupsafe import escape

from importer.adapters.mail.mail_views import ReportMailView
from importer.codes.code_lookup import lineage
from importer.codes.code_table import all_rows
from importer.domain.brand import Brand
from importer.domain.model import Account, Import, ImportId, Problem, State
from importer.domain.reporting.report import Report
from importer.i18n.code_texts import render, render_with_advice
from importer.i18n.translations import LANGUAGES, texts
from importer.service.deps import Webhook
from importer.service.notify.webhooks import webhook_calls
from providers.catalog import Catalog
from providers.endpoint import Endpoint, Secret
from providers.errors import Side
from providers.text import Text
from tests.mail_samples import mails
from tests.texts import LANGUAGES as TRANSLATED
from tests.texts import catalog_of, template
from tests.unit.test_api import ROW, Panel
from tests.unit.test_codes import names, templates
from tests.unit.test_service import Office
from tests.unit.test_webhooks import Receiver
from tests.unit.web_office import WebOffice

BRAND = "B & B's 100 %(host)s {mail} דואר"
MARK = "⟦product⟧"
FOR_OPERATORS = {
    "A newer version of Mailhaul migrated this database.",
    "Directory for Mailhaul's state.",
    "End its process (valkey-server), then start Mailhaul again.",
    "Internal error in Mailhaul. Please report it with the log lines above.",
    "Mailhaul is running with %(num)s worker.",
    "Make it readable for the user that runs Mailhaul, or set MAILHAUL_SECRET_KEY instead.",
    "Restore a backup that this version of Mailhaul migrated; see “Schema” in deploy/RUNBOOK.md.",
    "The database schema does not match this version of Mailhaul.",
    "The schema belongs to a newer version of Mailhaul.",
    "The schema belongs to an earlier version of Mailhaul.",
}
"""The texts that name the program, for the console and `doctor`. All others say %(product)s."""


def test_only_texts_for_operators_name_the_program() -> None:
    ids = [message.id if isinstance(message.id, str) else message.id[0] for message in template()]
    assert {text for text in ids if "Mailhaul" in text} == FOR_OPERATORS
    for language in TRANSLATED:
        for message in catalog_of(language):
            assert ("Mailhaul" in str(message.string)) == ("Mailhaul" in str(message.id)), message.string


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_names_the_brand_as_it_is_written(language: str) -> None:
    branded, marked = texts(language, product=BRAND), texts(language, product=MARK)
    for row in all_rows():
        text = Text(row.code, steps=None, number=3, **dict.fromkeys(names(row), "x"))
        own = {part for one in lineage(row.code) for part in templates(one)}
        for side in (None, *Side):
            shown = render_with_advice(text, branded, side)
            assert shown == render_with_advice(text, marked, side).replace(MARK, branded.product)
            assert "Mailhaul" not in shown or own & FOR_OPERATORS, row.code


def test_a_name_that_reads_from_right_to_left_is_isolated_from_its_sentence() -> None:
    too_much = Text("beyond_limit", host="a.example")
    for brand in ("דואר", "بريد", "Mail דואר"):
        assert f"more than \u2068{brand}\u2069 accepts" in render(too_much, texts("en", product=brand))
    assert "qu’\u2068Ora דואר\u2069 n’en" in render(too_much, texts("fr", product="Ora דואר"))
    assert "more than Orange accepts" in render(too_much, texts("en", product="Orange"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_steps_at_a_mail_host_name_the_brand(language: str) -> None:
    say = texts(language, product=BRAND)
    found = [step.texts for provider in Catalog.load() for step in provider.steps]
    found += [provider.unavailable_text for provider in Catalog.load() if provider.unavailable_text]
    shown = [say.typeset(text.in_language(language)) for text in found]
    assert not [text for text in shown if "Mailhaul" in text or "product" in text]
    assert any(BRAND in text for text in shown)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_looks_like_a_placeholder_is_not_filled_in_turn(language: str) -> None:
    product, host = "100 %(host)s", "%(product)s.example"
    shown = render(Text("beyond_limit", host=host), texts(language, product=product))
    assert host in shown
    assert product in shown


def test_french_elides_before_a_brand_that_begins_with_a_vowel() -> None:
    too_much = Text("beyond_limit", host="a.example")
    for brand, shown in {
        "Mailhaul": "que Mailhaul n’en accepte",
        "Orange": "qu’Orange n’en accepte",
        "Étoile": "qu’Étoile n’en accepte",
        "1&1": "que 1&1 n’en accepte",
    }.items():
        assert shown in render(too_much, texts("fr", product=brand))
    disk = Text("installation.disk_full", reason="ENOSPC")
    assert "Le disque d’Orange est plein" in render(disk, texts("fr", product="Orange"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_mails_name_the_brand(language: str) -> None:
    for name, html in mails(language, Brand(BRAND)).items():
        assert "Mailhaul" not in html, name
        assert str(escape(BRAND)) in html, name


def stopped() -> Report:
    """Of an import that stopped because its server sends too much."""
    account = Account("ada@new.example", "ada", Endpoint("imap.new.example"))
    problem = Problem(Text("beyond_limit", host="evil.example"), Side.SOURCE, "")
    import_ = Import(ImportId("one"), account, account, datetime(2026, 11, 23, tzinfo=UTC))
    return Report(replace(import_, state=State.STOPPED, problem=problem))


def test_a_brand_that_is_called_like_its_domain_stays_whole_in_a_mail() -> None:
    """The domains of strangers are broken there, so that no mail program makes links of them."""
    verdict = ReportMailView.of(stopped(), texts("en", product="Mail.Example")).verdict
    assert "more than Mail.Example accepts" in verdict
    assert "evil[.]example" in verdict


def test_webhooks_name_the_brand() -> None:
    hook = Webhook("https://host.example/hook", Secret("s" * 16))
    deps = replace(Office().deps, product=BRAND, webhook_sender=Receiver(), webhook=hook)
    [call] = webhook_calls(deps, stopped())
    shown = json.dumps(json.loads(call.body), ensure_ascii=False)
    assert BRAND in shown
    assert "Mailhaul" not in shown


@pytest.fixture
def branded(tmp_path: Path) -> WebOffice:
    return WebOffice(tmp_path, {"brand_name": BRAND})


def pages(office: WebOffice, language: str) -> Iterator[str]:
    """Pages on the way of a customer, also those about hosts that cannot be imported from."""
    browser = office.browser()
    browser.get("/")
    browser.post("/language", language=language)
    yield browser.get("/").text
    browser.sign_in()
    for address in ("ada@outlook.com", "ada@gmail.com", "ada@proton.me"):
        yield browser.post("/new", address=address).text
        yield browser.get("/new/mailbox").text
    location = browser.start_import(f"ada.{language}@old.example")
    for path in (location, "/new", "/file", "/imports", "/mailboxes", "/activity", "/nothing"):
        yield browser.get(path).text


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_name_the_brand(branded: WebOffice, language: str) -> None:
    for page in pages(branded, language):
        assert "Mailhaul" not in page
        assert not page or str(escape(BRAND)) in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_api_names_the_brand(branded: WebOffice, language: str) -> None:
    panel = Panel(branded)
    panel.headers["Accept-Language"] = language
    answers = [
        panel.get("/problems"),
        panel.post("/detect", {"address": "ada@outlook.com", "language": language}),
        panel.post("/imports", {**ROW, "source_address": "ada@outlook.com", "source_server": ""}),
        panel.post("/imports", {}),
    ]
    shown = [json.dumps(answer.json(), ensure_ascii=False) for answer in answers]
    assert not [text for text in shown if "Mailhaul" in text]
    assert [BRAND in text for text in shown[:3]] == [True] * 3


def test_files_are_called_like_the_brand(branded: WebOffice) -> None:
    ada = branded.browser()
    ada.sign_in()
    for ending in ("csv", "xlsx"):
        named = ada.get(f"/file/template.{ending}").headers["content-disposition"]
        assert named == f'attachment; filename="b-b-s-100-host-s-mail.{ending}"'
    assert Brand().file_name == "mailhaul"
    assert Brand("Größe").file_name == "groe"
    assert Brand("דואר").file_name == "import"
