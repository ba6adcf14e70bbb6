"""The catalog of mail hosts."""

from __future__ import annotations

import pytest

from importer.codes.code_table import ROWS
from providers.catalog import Catalog, CatalogError, provider_of_host
from providers.endpoint import Endpoint, LoginForm, Security
from providers.provider import LANGUAGES, LoginKind, PasswordKind, ProviderLimits, Quirk

TEXT = """
[text.imap-switch]
en = "Switch on IMAP in {name}."
de = "Schalten Sie IMAP bei {name} ein."
fr = "Activez IMAP chez {name}."
it = "Attivi IMAP presso {name}."
es = "Active IMAP en {name}."
"""
ROW = """
[[provider]]
id = "old"
name = "Old Mail"
domains = ["old.example", "older.example"]
server = "imap.old.example"
mx = ["mx.old.example"]
login_form = "local_part"
steps = ["imap-switch"]
pages = { imap-switch = "https://help.old.example/imap" }
limits = { connections = 4 }
quirks = ["labels"]
[provider.source]
server = "its help page, 2026-11-23"
steps = "its help page, 2026-11-23"
limits = "unconfirmed: from memory, 2026-11-23"
quirks = "its help page, 2026-11-23"
mx = "its help page, 2026-11-23"
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
def test_server_and_login_follow_from_an_address(
    catalog: Catalog, address: str, host: str, login: str
) -> None:
    provider = catalog.for_address(address)
    assert provider is not None
    assert provider.endpoint == Endpoint(host, 993, Security.TLS)
    assert provider.login_name(address) == login


@pytest.mark.parametrize(
    ("domain", "host"), [("yahoo.com", "imap.mail.yahoo.com"), ("aol.com", "imap.aol.com")]
)
def test_yahoo_and_aol_are_read_through_their_export_servers(
    catalog: Catalog, domain: str, host: str
) -> None:
    provider = catalog.for_domain(domain)
    assert provider is not None
    assert provider.source_endpoint == Endpoint(f"export.{host}")
    assert provider.endpoint == Endpoint(host)  # the export server is read-only
    assert provider.limits.messages_per_folder == 10_000
    assert provider.limits.read_messages_per_folder == 100_000
    assert "app password" in provider.login_help


@pytest.mark.parametrize(
    ("domain", "word"), [("gmail.com", "Google"), ("hotmail.co.uk", "Microsoft"), ("proton.me", "Bridge")]
)
def test_an_unsupported_host_has_a_reason_and_an_alternative(
    catalog: Catalog, domain: str, word: str
) -> None:
    provider = catalog.for_domain(domain)
    assert provider is not None
    assert word in provider.unavailable
    assert "copy of" in provider.unavailable


@pytest.mark.parametrize("domain", ["old.example", "notgmx.de", "mail.gmx.de", "de", "", "gmx.de."])
def test_only_exact_domains_match(catalog: Catalog, domain: str) -> None:
    assert catalog.for_domain(domain) is None


def test_a_customer_domain_gets_the_help_of_its_server(catalog: Catalog) -> None:
    provider = catalog.for_host("Mail.Gandi.net.")
    assert provider is not None
    assert provider.name == "Gandi"
    assert catalog.for_host("imap.old.example") is None


def test_every_host_has_login_help_or_a_reason_why_it_is_unavailable(catalog: Catalog) -> None:
    assert len(list(catalog)) == len(catalog) > 50
    for provider in catalog:
        if provider.unavailable:
            assert provider.unavailable.endswith("."), provider.id
        else:
            assert provider.endpoint is not None, provider.id
            assert provider.endpoint.security is Security.TLS, provider.id
            assert provider.login_help.endswith("."), provider.id
        assert "\n" not in provider.login_help + provider.unavailable, provider.id


def test_one_row_defines_a_host() -> None:
    provider = Catalog.parse(TEXT + ROW).for_domain("older.example")
    assert provider is not None
    assert provider.endpoint == provider.source_endpoint == Endpoint("imap.old.example")
    assert provider.login_form is LoginForm.LOCAL_PART
    assert provider.password is PasswordKind.MAILBOX
    assert provider.limits == ProviderLimits(connections=4)
    assert provider.quirks == {Quirk.LABELS}
    page = "https://help.old.example/imap"
    assert provider.steps[0].page == page
    assert provider.login_help_in("de-CH") == f"Schalten Sie IMAP bei Old Mail ein ({page})."
    assert provider.login_help_in("pt") == provider.login_help == f"Switch on IMAP in Old Mail ({page})."
    assert [source.facts for source in provider.sources if not source.confirmed] == ["limits"]


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
        ('"local_part"', '"name"', "row “old”", "login_form"),
        ('mx = ["mx.old.example"]', 'mx = ["*.old.example"]', "row “old”", "mx"),
        ('steps = ["imap-switch"]', "steps = []", "row “old”", "steps"),
        ('steps = ["imap-switch"]', 'steps = ["imap-swich"]', "row “old”", "steps"),
        ('steps = ["imap-switch"]', 'steps = "imap-switch"', "row “old”", "steps"),
        ('steps = ["imap-switch"]', 'password_steps = "imap-switch"', "row “old”", "password_steps"),
        ('steps = ["imap-switch"]', 'sign_in_steps = ["x"]', "row “old”", "sign_in_steps"),
        ("https://help", "http://help", "row “old”", "pages"),
        ("{ imap-switch =", "{ other =", "row “old”", "pages"),
        ('"https://help.old.example/imap"', '{ de = "https://hilfe.old.example" }', "row “old”", "pages"),
        ('"https://help.old.example/imap"', '{ en = "https://x", xx = "https://y" }', "row “old”", "pages"),
        ('"https://help.old.example/imap"', '{ en = "https://x", de = "http://y" }', "row “old”", "pages"),
        ("connections = 4", "connections = 0", "row “old”", "limits"),
        ("connections = 4", "connection = 4", "row “old”", "limits"),
        ("connections = 4", "connections = true", "row “old”", "limits"),
        ('quirks = ["labels"]', 'quirks = ["lables"]', "row “old”", "quirks"),
        ('quirks = ["labels"]', "quirks = 7", "row “old”", "quirks"),
        ('name = "Old Mail"', 'name = "Old Mail"\npassword = "none"', "row “old”", "password"),
        ('name = "Old Mail"', 'name = "Old Mail"\nunavailable = "gone"', "row “old”", "unavailable"),
        ('mx = "its help page, 2026-11-23"', "", "row “old”", "source"),
        ('quirks = ["labels"]\n', "", "row “old”", "source"),
        ('name = "Old Mail"', 'name = "Old Mail"\nlogin_hlep = ""', "row “old”", "login_hlep"),
        (", 2026-11-23", "", "row “old”", "source"),
    ],
)
def test_an_invalid_row_is_reported_with_its_field(change: str, to: str, row: str, field: str) -> None:
    assert change in ROW
    with pytest.raises(CatalogError) as caught:
        Catalog.parse(TEXT + ROW.replace(change, to, 1))
    assert f"catalog {row}: field “{field}”" in str(caught.value)


@pytest.mark.parametrize(
    ("second", "field"),
    [
        (ROW, "id"),
        (ROW.replace('"old"', '"new"'), "domains"),
        (ROW.replace('"old"', '"new"').replace('"old.example", "older.example"', ""), "server"),
        (
            ROW.replace('"old"', '"new"')
            .replace('"old.example", "older.example"', "")
            .replace("imap.old", "imap.new"),
            "mx",
        ),
    ],
)
def test_rows_cannot_share_an_id_domain_server_or_exchanger(second: str, field: str) -> None:
    with pytest.raises(CatalogError, match=f"field “{field}”"):
        Catalog.parse(TEXT + ROW + second)


@pytest.mark.parametrize("text", ["[[provider]", "provider = 1", "", "[other]", "provider = [1]"])
def test_a_catalog_with_another_structure_is_rejected(text: str) -> None:
    with pytest.raises(CatalogError):
        Catalog.parse(text)


@pytest.mark.parametrize(
    ("change", "to"),
    [('es = "Active IMAP en {name}."\n', ""), ("ein.", "ein"), ('"Activez IMAP chez {name}."', "1")],
)
def test_a_text_that_is_incomplete_in_a_language_is_reported(change: str, to: str) -> None:
    with pytest.raises(CatalogError, match="text “imap-switch”"):
        Catalog.parse(TEXT.replace(change, to) + ROW)


@pytest.mark.parametrize(
    ("exchanger", "found"),
    [
        ("ASPMX.L.Google.com.", "google"),
        ("smtp.google.com", "google"),
        ("old-example.mail.protection.outlook.com", "microsoft"),
        ("old-example.a-v1.mx.microsoft", "microsoft"),
        ("mta-gw.infomaniak.ch", "infomaniak"),
        ("mx1.mail.hostpoint.ch", "hostpoint"),
        ("mx-aol.mail.gm0.yahoodns.net", "aol"),
        ("mta5.am0.yahoodns.net", "yahoo"),
        ("mx00.ionos.co.uk", "ionos-co-uk"),
        ("notgoogle.com", None),
        ("google.com.old.example", None),
        ("", None),
    ],
)
def test_a_mail_exchanger_matches_at_label_boundaries(
    catalog: Catalog, exchanger: str, found: str | None
) -> None:
    hosted = catalog.for_mx(exchanger)
    assert (hosted[0].id if hosted else None) == found


def test_the_first_steps_are_translated_into_every_language(catalog: Catalog) -> None:
    for provider in catalog:
        texts = [
            provider.login_help_in(language) + provider.unavailable_in(language) for language in LANGUAGES
        ]
        assert len(set(texts)) == len(LANGUAGES), provider.id
        assert not any("{" in text for text in texts), provider.id


def test_a_local_part_login_applies_to_the_hosts_own_addresses(catalog: Catalog) -> None:
    provider = catalog.for_domain("icloud.com")
    assert provider is not None
    assert provider.login_name("ada@iCloud.com") == "ada"
    assert provider.login_name("ada@old.example") == "ada@old.example"


def test_each_login_method_has_its_own_steps(catalog: Catalog) -> None:
    google, microsoft, gmx = (catalog.for_domain(name) for name in ("gmail.com", "outlook.com", "gmx.de"))
    assert google is not None
    assert microsoft is not None
    assert gmx is not None
    assert [step.id for step in google.steps_for(LoginKind.SIGN_IN)] == ["sign-in", "google-show-all"]
    assert [step.id for step in google.steps_for(LoginKind.PASSWORD)] == [
        "two-factor-first",
        "app-password",
        "google-show-all",
    ]
    assert "app password" in google.login_help
    assert not google.passwords_unavailable
    assert microsoft.passwords_unavailable
    assert not microsoft.login_unavailable_in("de", LoginKind.SIGN_IN)
    assert gmx.steps_for(LoginKind.PASSWORD) == gmx.steps
    assert microsoft.steps_for(LoginKind.ORGANISATION) == ()
    assert not microsoft.login_unavailable_in("en", LoginKind.ORGANISATION)


def test_every_quirk_is_documented() -> None:
    assert all(quirk.text.code in ROWS for quirk in Quirk)


@pytest.mark.parametrize(
    ("language", "host"),
    [
        ("de", "hilfe.gmx.net"),
        ("de-CH", "hilfe.gmx.net"),
        ("en", "support.gmx.com"),
        ("fr", "support.gmx.com"),
    ],
)
def test_a_step_leads_to_a_page_in_the_readers_language(catalog: Catalog, language: str, host: str) -> None:
    provider = catalog.for_address("ada@gmx.de")
    assert provider is not None
    [page] = [step.page_in(language) for step in provider.steps if step.page]
    assert page.startswith(f"https://{host}/")


def test_a_host_is_found_without_the_rows_of_others() -> None:
    catalog = Catalog.load()
    hosts = {host for provider in catalog for host in provider.hosts}
    assert len(hosts) > 40
    for host in hosts:
        assert provider_of_host(f"{host.upper()}.") == catalog.for_host(host)
    assert provider_of_host("imap.unknown.example") is None
    assert provider_of_host("") is None


def test_looking_a_host_up_does_not_read_the_whole_catalog(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    parse = Catalog.parse

    def counting(text: str) -> Catalog:
        parsed = parse(text)
        read.append(len(parsed))
        return parsed

    monkeypatch.setattr(Catalog, "parse", counting)
    provider_of_host.cache_clear()
    assert provider_of_host("imap.gmx.net") is not None
    assert provider_of_host("mail.unknown.example") is None
    assert read
    assert max(read) <= 3
