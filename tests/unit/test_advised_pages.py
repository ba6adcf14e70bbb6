"""Advice that names a page leads there, in mails and on pages; a server's words never do."""

from __future__ import annotations

import pytest

from importer.adapters.mail.compose import TemplateComposer
from importer.domain.model import Problem, State
from importer.domain.people.mail_recipients import MailReader
from importer.domain.reporting.formatting import unlinked
from importer.domain.reporting.report import Report
from importer.i18n.advised_pages import advised_pages
from importer.i18n.translations import LANGUAGES
from importer.web.rendering import linked
from providers.catalog import Catalog
from providers.errors import Side
from providers.text import Text
from tests.mail_samples import NOW, SUBMITTER, a_report

GOOGLE = "https://myaccount.google.com/apppasswords"
POSTEO = "https://posteo.de/en/help/app-passwords"
WORDS = "[ALERT] see https://evil.example/apppasswords"


def test_the_pages_are_those_of_the_codes_and_of_the_mail_hosts() -> None:
    assert {GOOGLE, POSTEO} <= advised_pages()
    assert {step.page for host in Catalog.load() for step in host.steps if step.page} <= advised_pages()
    assert not any(page.endswith((".", ":", ",", ")")) for page in advised_pages())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("steps", "page"),
    [(Text("app_password_google"), GOOGLE), (Text("host_steps", provider="posteo"), POSTEO)],
)
def test_a_mail_names_the_page_of_its_advice(language: str, steps: Text, page: str) -> None:
    problem = Problem(
        Text("login_rejected.app_password", host="imap.old.example", steps=steps), Side.SOURCE, WORDS
    )
    composer = TemplateComposer("m@new.example", b"k", language)
    report: Report = a_report(language, State.STOPPED, problem)
    [notice] = composer.completion(report, [MailReader(SUBMITTER)], NOW)
    for body in (notice.text, notice.html):
        assert page in " ".join(body.split())
        assert "evil[.]example" in body
        assert "https://evil" not in body


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"See {GOOGLE}.", f"See {GOOGLE}."),
        (f"({GOOGLE}).", f"({GOOGLE})."),
        (f"{GOOGLE}/evil", "myaccount[.]google[.]com"),
        (f"{GOOGLE}@evil.example", "myaccount[.]google[.]com"),
        ("http://192.0.2.1/x", "http[:]//192.0.2.1/x"),
        ("imap.old.example", "imap.old.example"),
        ("https://imap.old.example/x", "imap[.]old[.]example"),
    ],
)
def test_only_exactly_our_pages_stay_in_foreign_text(text: str, shown: str) -> None:
    assert unlinked(text, {"imap.old.example"}, advised_pages()) == shown


def test_pages_of_our_own_advice_are_links_and_others_are_not() -> None:
    html = linked(f"<b> {GOOGLE}. {WORDS}, {GOOGLE}/evil")
    assert html.count("<a ") == 1
    assert html.startswith(f'&lt;b&gt; <a href="{GOOGLE}" rel="noreferrer">{GOOGLE}</a>. [ALERT]')
