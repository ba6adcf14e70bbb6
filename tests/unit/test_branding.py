"""Pages and mails carry the name, logo, colours and legal pages of the host, as far as they can be read."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.adapters.mail.compose import TemplateComposer
from importer.bootstrap import standalone
from importer.domain.brand import (
    MIN_CONTRAST,
    Brand,
    Rgb,
    UnreadableColour,
    contrast,
    dark_palette,
    light_palette,
)
from importer.domain.model import Account, Import, ImportId
from importer.domain.people.mail_recipients import MailReader
from importer.domain.receipts.folder_tally import FolderTally
from importer.domain.reporting.report import Report
from importer.ports.notices import Invitation
from importer.settings import Settings, SettingsError
from importer.web.middleware import content_security_policy
from providers.endpoint import Endpoint
from providers.errors import Side
from tests.unit.web_office import WebOffice

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
NASTY = "A & B's 'Mail'"
IMPRINT, PRIVACY = 'https://host.example/imprint?a="b"&c=<d>', "https://host.example/privacy"
COLOURS = st.tuples(*[st.integers(0, 255)] * 3)


@pytest.fixture
def logo(tmp_path: Path) -> Path:
    path = tmp_path / "host.png"
    path.write_bytes(PNG)
    return path


def test_pages_carry_the_brand_under_an_unchanged_policy(tmp_path: Path, logo: Path) -> None:
    office = WebOffice(
        tmp_path,
        {
            "brand_name": NASTY,
            "brand_logo": logo,
            "brand_colour": "#7A1F3D",
            "imprint_url": IMPRINT,
            "privacy_url": PRIVACY,
        },
    )
    browser = office.browser()
    answer = browser.get("/")
    assert answer.headers["content-security-policy"] == content_security_policy()
    page = answer.text
    assert "A &amp; B&#39;s &#39;Mail&#39; copies your whole mailbox" in page
    assert "Mailhaul" not in page
    assert 'href="https://host.example/imprint?a=&#34;b&#34;&amp;c=&lt;d&gt;"' in page
    assert f'href="{PRIVACY}"' in page
    assert "style=" not in page
    [image] = re.findall(r'<img src="([^"]+)"', page)
    served = browser.client.get(image)
    assert (served.content, served.headers["content-type"]) == (PNG, "image/png")
    assert "immutable" in served.headers["cache-control"]
    [sheet] = re.findall(r'href="(/static/[^"]+/brand.css)"', page)
    css = browser.client.get(sheet)
    assert css.headers["content-type"].startswith("text/css")
    assert "--accent: #7a1f3d;" in css.text


def test_without_a_brand_pages_are_the_products_own(tmp_path: Path) -> None:
    browser = WebOffice(tmp_path).browser()
    page = browser.get("/").text
    assert "Mailhaul" in page
    assert "brand.css" not in page
    assert browser.client.get("/static/0/brand.css").status_code == 404


def test_mails_carry_the_brand() -> None:
    account = Account("ada@new.example", "ada", Endpoint("imap.new.example"))
    import_ = Import(ImportId("one"), account, account, datetime(2026, 11, 23, tzinfo=UTC))
    report = Report(import_, (FolderTally("INBOX", "INBOX", found=1, copied=1),))
    brand = Brand(NASTY, "#7a1f3d", None, IMPRINT, PRIVACY)
    composer = TemplateComposer("m@new.example", b"key", brand=brand)
    [notice] = composer.completion(report, [MailReader("ada@new.example")], import_.created_at)
    assert f"{NASTY} sent this email" in " ".join(notice.text.split())
    assert f"Imprint: {IMPRINT}" in notice.text
    assert "A &amp; B&#39;s &#39;Mail&#39;" in notice.html
    assert "c=&lt;d&gt;" in notice.html
    assert "#7a1f3d" in notice.html
    assert "Mailhaul" not in notice.text + notice.html
    for side in Side:
        asked = Invitation(import_, side, "Google", "https://host.example/consent/x", import_.created_at)
        [notice] = composer.invitation(asked, import_.created_at)
        assert f"{NASTY} needs your permission" in " ".join(notice.text.split())
        assert "Mailhaul" not in notice.text + notice.html


@pytest.mark.parametrize("name", ["Grüner Host", "B & B's 100 %(host)s {mail}, @דואר;"])
def test_the_sender_of_mails_has_the_name_of_the_host(tmp_path: Path, name: str) -> None:
    settings = Settings.load(
        data=tmp_path, smtp_url="smtp://localhost", mail_from="move@host.example", brand_name=name
    )
    with standalone(settings) as deps:
        assert deps.outgoing_mail is not None
        sender = deps.outgoing_mail.mailer._sender  # type: ignore[attr-defined]
    assert (sender.display_name, sender.addr_spec) == (name, "move@host.example")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("brand_name", "<script>"),
        ("brand_name", 'A" <evil@example>'),
        ("brand_name", "two\nlines"),
        ("brand_name", "x" * 61),
        ("brand_colour", "#ffd400"),
        ("brand_colour", "#888888"),
        ("brand_colour", "red"),
        ("brand_colour", "#fff;}body{display:none"),
        ("imprint_url", "javascript:alert(1)"),
        ("privacy_url", "//host.example"),
        ("brand_logo", "/nowhere/logo.png"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_the_rule(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"MAILHAUL_{name.upper()}"):
        Settings.load(data=tmp_path, **{name: value})


@pytest.mark.parametrize("content", [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"", PNG + bytes(300_000)])
def test_only_small_images_without_scripts_are_logos(tmp_path: Path, logo: Path, content: bytes) -> None:
    logo.write_bytes(content)
    with pytest.raises(SettingsError, match=r"setting_rule\.logo"):
        Settings.load(data=tmp_path, brand_logo=str(logo))


def rgb(text: str) -> Rgb:
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


@given(COLOURS)
def test_every_colour_that_is_taken_can_be_read_in_all_its_tones(colour: Rgb) -> None:
    text = "#{:02x}{:02x}{:02x}".format(*colour)
    try:
        light = light_palette(text)
    except UnreadableColour:
        return
    dark = dark_palette(text)
    for palette, ground in ((light, "#f0efea"), (dark, "#1a2226")):
        for tone in (palette.accent, palette.strong):
            assert contrast(rgb(tone), rgb(ground)) >= MIN_CONTRAST
            assert contrast(rgb(tone), rgb(palette.wash)) >= MIN_CONTRAST
            assert contrast(rgb(tone), rgb(palette.on_accent)) >= MIN_CONTRAST
