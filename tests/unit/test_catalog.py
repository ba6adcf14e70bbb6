"""The mail hosts that we know."""

from __future__ import annotations

import pytest

from providers.catalog import Catalog, CatalogError
from providers.model import Endpoint, LoginForm, Security

ROW = """
[[provider]]
id = "old"
name = "Old Mail"
domains = ["old.example", "older.example"]
server = "imap.old.example"
login_help = "Switch on IMAP first."
source = "its help page, 2026-11-23"
"""


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


@pytest.mark.parametrize(
    ("address", "host", "login"),
    [
        ("ada@gmx.de", "imap.gmx.net", "ada@gmx.de"),
        ("Ada@GMX.com", "imap.gmx.com", "Ada@GMX.com"),
        ("ada@web.de", "imap.web.de", "ada"),
        ("ada@icloud.com", "imap.mail.me.com", "ada"),
        ("ada@free.fr", "imap.free.fr", "ada"),
        ("ada@bluewin.ch", "imaps.bluewin.ch", "ada@bluewin.ch"),
        ("ada@ik.me", "mail.infomaniak.com", "ada@ik.me"),
        ("ada@t-online.de", "secureimap.t-online.de", "ada@t-online.de"),
        ("ada@libero.it", "imapmail.libero.it", "ada@libero.it"),
        ("ada@ya.ru", "imap.yandex.com", "ada@ya.ru"),
    ],
)
def test_an_address_is_enough_to_find_server_and_login(
    catalog: Catalog, address: str, host: str, login: str
) -> None:
    provider = catalog.for_address(address)
    assert provider is not None
    assert provider.endpoint == Endpoint(host, 993, Security.TLS)
    assert provider.login_name(address) == login


def test_yahoo_is_read_where_it_shows_whole_folders(catalog: Catalog) -> None:
    provider = catalog.for_domain("yahoo.com")
    assert provider is not None
    assert provider.endpoint == Endpoint("export.imap.mail.yahoo.com")
    assert "app password" in provider.login_help


@pytest.mark.parametrize(
    ("domain", "word"), [("gmail.com", "Google"), ("hotmail.co.uk", "Microsoft"), ("proton.me", "Bridge")]
)
def test_whoever_cannot_be_served_yet_is_told_why_and_what_to_do(
    catalog: Catalog, domain: str, word: str
) -> None:
    provider = catalog.for_domain(domain)
    assert provider is not None
    assert word in provider.unavailable
    assert "copy of" in provider.unavailable


@pytest.mark.parametrize("domain", ["old.example", "notgmx.de", "mail.gmx.de", "de", "", "gmx.de."])
def test_only_the_exact_domain_counts(catalog: Catalog, domain: str) -> None:
    assert catalog.for_domain(domain) is None


def test_a_customer_domain_is_helped_by_the_server_it_uses(catalog: Catalog) -> None:
    provider = catalog.for_host("Mail.Gandi.net.")
    assert provider is not None
    assert provider.name == "Gandi"
    assert catalog.for_host("imap.old.example") is None


def test_every_host_helps_its_users_or_says_why_not(catalog: Catalog) -> None:
    assert len(list(catalog)) == len(catalog) > 35
    for provider in catalog:
        if provider.unavailable:
            assert provider.unavailable.endswith("."), provider.id
        else:
            assert provider.endpoint is not None, provider.id
            assert provider.endpoint.security is Security.TLS, provider.id
            assert provider.login_help.endswith("."), provider.id
        assert "\n" not in provider.login_help + provider.unavailable, provider.id


def test_a_new_host_is_one_row() -> None:
    provider = Catalog.parse(ROW).for_domain("older.example")
    assert provider is not None
    assert provider.endpoint == Endpoint("imap.old.example")
    assert provider.login_form is LoginForm.ADDRESS


@pytest.mark.parametrize(
    ("change", "to", "row", "field"),
    [
        ('id = "old"', "", "row 1", "id"),
        ('id = "old"', 'id = "Old Mail"', "row “Old Mail”", "id"),
        ('name = "Old Mail"', "", "row “old”", "name"),
        ('name = "Old Mail"', "name = 7", "row “old”", "name"),
        ('["old.example", "older.example"]', '"old.example"', "row “old”", "domains"),
        ('"older.example"', '"Older.example"', "row “old”", "domains"),
        ('"older.example"', '"old"', "row “old”", "domains"),
        ('server = "imap.old.example"', "", "row “old”", "server"),
        ('"imap.old.example"', '"https://imap.old.example"', "row “old”", "server"),
        ('"imap.old.example"', '"imap.old.example:0"', "row “old”", "server"),
        ('login_help = "Switch on IMAP first."', "", "row “old”", "login_help"),
        ('name = "Old Mail"', 'name = "Old Mail"\nlogin_form = "name"', "row “old”", "login_form"),
        ('name = "Old Mail"', 'name = "Old Mail"\nlogin_hlep = ""', "row “old”", "login_hlep"),
        (", 2026-11-23", "", "row “old”", "source"),
    ],
)
def test_a_wrong_row_is_named_with_its_field(change: str, to: str, row: str, field: str) -> None:
    assert change in ROW
    with pytest.raises(CatalogError) as caught:
        Catalog.parse(ROW.replace(change, to, 1))
    assert f"catalog {row}: field “{field}”" in str(caught.value)


@pytest.mark.parametrize(
    ("second", "field"),
    [
        (ROW, "id"),
        (ROW.replace('"old"', '"new"'), "domains"),
        (ROW.replace('"old"', '"new"').replace('"old.example", "older.example"', ""), "server"),
    ],
)
def test_two_rows_cannot_claim_the_same(second: str, field: str) -> None:
    with pytest.raises(CatalogError, match=f"field “{field}”"):
        Catalog.parse(ROW + second)


@pytest.mark.parametrize("text", ["[[provider]", "provider = 1", "", "[other]", "provider = [1]"])
def test_a_catalog_of_another_shape_is_refused(text: str) -> None:
    with pytest.raises(CatalogError):
        Catalog.parse(text)
