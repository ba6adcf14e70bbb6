"""Discovery of the provider of an address: the order of the steps, and rejected answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from providers.autoconfig import AutoconfigUnusable, Config, NoAutoconfigFile, parse
from providers.bulk_discovery import BulkDiscovery
from providers.catalog import Catalog
from providers.discovery import Discovery, FoundBy, ascii_domain, discover
from providers.endpoint import Endpoint, LoginForm, Security
from providers.provider import PasswordKind
from providers.text import Text
from tests.english import said
from tests.recorded import Recorded
from tests.rehearsal.ports import wait_until

CATALOG = Catalog.load()
ISPDB = "https://autoconfig.thunderbird.net/v1.1"


def file(*servers: str, more: str = "") -> bytes:
    inside = "".join(servers) + more
    return f"<clientConfig><emailProvider id='x'>{inside}</emailProvider></clientConfig>".encode()


def server(
    host: str = "imap.old.example",
    port: object = 993,
    kind: str = "SSL",
    user: str = "%EMAILADDRESS%",
    more: str = "",
) -> str:
    return (
        f"<incomingServer type='imap'><hostname>{host}</hostname><port>{port}</port>"
        f"<socketType>{kind}</socketType>"
        f"<username>{user}</username>{more}</incomingServer>"
    )


def search(answers: Recorded, address: str = "ada@old.example") -> Discovery:
    return discover(address, catalog=CATALOG, resolver=answers, web=answers, prober=answers)


# --- The steps ------------------------------------------------------------------------------------------


def all_answers() -> Recorded:
    """A domain for which every step finds another server."""
    return Recorded(
        mx={"old.example": ["mx.unknown.example", "mta-gw.infomaniak.ch"]},
        pages={
            "https://autoconfig.old.example/mail/config-v1.1.xml": file(server("one.old.example")),
            "https://old.example/.well-known/autoconfig/mail/config-v1.1.xml": file(
                server("two.old.example")
            ),
            f"{ISPDB}/old.example": file(server("three.old.example")),
            f"{ISPDB}/unknown.example": file(server("four.unknown.example")),
        },
        srv={
            "_imaps._tcp.old.example": [("five.old.example.", 993)],
            "_imap._tcp.old.example": [("six.old.example.", 143)],
        },
        servers={"imaps://imap.old.example", "imaps://mail.old.example"},
    )


def test_the_steps_are_tried_in_order() -> None:
    answers = all_answers()
    results = []
    removals: list[Callable[[], object]] = [
        partial(answers.mx["old.example"].pop),
        *(partial(answers.pages.pop, url) for url in answers.pages),
        *(partial(answers.srv.pop, name) for name in answers.srv),
        partial(answers.servers.remove, "imaps://imap.old.example"),
        answers.servers.clear,
    ]
    for remove in removals:
        result = search(answers)
        assert result.provider is not None
        results.append((result.found_by, str(result.provider.endpoint)))
        remove()
    assert results == [
        (FoundBy.EXCHANGER, "imaps://mail.infomaniak.com"),
        (FoundBy.AUTOCONFIG, "imaps://one.old.example"),
        (FoundBy.AUTOCONFIG, "imaps://two.old.example"),
        (FoundBy.ISPDB, "imaps://three.old.example"),
        (FoundBy.ISPDB, "imaps://four.unknown.example"),
        (FoundBy.SERVICE, "imaps://five.old.example"),
        (FoundBy.SERVICE, "imap://six.old.example"),
        (FoundBy.PROBE, "imaps://imap.old.example"),
        (FoundBy.PROBE, "imaps://mail.old.example"),
    ]
    nothing = search(answers)
    assert (nothing.found_by, nothing.provider, nothing.offline) == (FoundBy.NOTHING, None, False)
    assert nothing.guess == Endpoint("imap.old.example")


def test_a_domain_of_the_catalog_needs_no_lookup() -> None:
    answers = all_answers()
    result = search(answers, "Ada@GMX.de")
    assert result.provider is CATALOG.for_domain("gmx.de")
    assert [said(text) for text in result.evidence] == ["gmx.de is a domain of GMX."]
    assert not answers.asked


def test_the_address_is_sent_to_its_own_domain_only() -> None:
    answers = Recorded()
    search(answers, "ada+x@old.example")
    urls = [url for url in answers.asked if "ada" in url]
    assert urls
    for url in urls:
        assert url.endswith("emailaddress=ada%2Bx@old.example")
        assert url.partition("/")[2].partition("?")[0].count("old.example") == 1


def test_a_discovered_host_of_the_catalog_has_its_catalog_data() -> None:
    """Also for an alternative host name, and with the login form of the domain's autoconfig."""
    url = "https://autoconfig.old.example/mail/config-v1.1.xml"
    answers = Recorded(pages={url: file(server("imap.ionos.de", user="%EMAILLOCALPART%"))})
    provider = search(answers).provider
    ionos = CATALOG.for_host("imap.1und1.de")
    assert provider is not None
    assert ionos is not None
    assert (provider.id, provider.endpoint, provider.steps) == ("ionos", ionos.endpoint, ionos.steps)
    assert provider.login_name("ada@old.example") == "ada"
    answers.pages[url] = file(server("imap.gmail.com"))
    provider = search(answers).provider
    assert provider is not None
    assert provider.sign_in == "google"


def test_conventional_names_are_only_proposed_without_a_prober() -> None:
    answers = all_answers()
    answers.mx, answers.pages, answers.srv = {}, {}, {}
    result = discover("ada@old.example", catalog=CATALOG, resolver=answers, web=answers, prober=None)
    assert (result.provider, result.guess) == (None, Endpoint("imap.old.example"))


@pytest.mark.parametrize(
    "records",
    [[("imap.old.example.", 0)], [("", 993)], [(".", 0)], [("127.0.0.1", 993)], [("localhost.", 993)]],
)
def test_an_invalid_service_record_is_ignored(records: list[tuple[str, int]]) -> None:
    assert search(Recorded(srv={"_imaps._tcp.old.example": records})).provider is None


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("Old.Example.", "old.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.Example.", "xn--bcher-kva.example"),
        ("straße.example", "xn--strae-oqa.example"),  # not strasse.example, which is another domain
        ("\uff45xample.example\u3002", "example.example"),
        ("localhost", None),
        ("127.0.0.1", None),
        ("[127.0.0.1]", None),
        ("old.example/x", None),
        ("old.example:80", None),
        ("a..example", None),
        ("-a.example", None),
        ("", None),
    ],
)
def test_only_public_domain_names_are_looked_up(given: str, name: str | None) -> None:
    assert ascii_domain(given) == name
    answers = Recorded()
    result = search(answers, f"ada@{given}")
    assert bool(answers.asked) == (name is not None)
    assert result.provider is None


# --- Autoconfig -----------------------------------------------------------------------------------------


def read(*servers: str, more: str = "") -> Config:
    return parse(file(*servers, more=more), "ada@old.example")


def test_the_first_server_with_tls_is_used() -> None:
    config = read(
        server("starttls.old.example", 143, "STARTTLS"),
        server("first.old.example"),
        server("second.old.example"),
    )
    assert config.endpoint == Endpoint("first.old.example")
    assert read(server("a.old.example", 143, "STARTTLS")).endpoint == Endpoint(
        "a.old.example", 143, Security.STARTTLS
    )


@pytest.mark.parametrize(
    "bad",
    [
        server(kind="plain"),
        server(kind=""),
        server(port=0),
        server(port=70000),
        server(port="x"),
        server(host="localhost"),
        server(host="10.0.0.1"),
        server(host="imap.old.example/x"),
        server(host="a@b.example"),
        server(user="somebody"),
        server(user="%EMAILLOCALPART%@other.example"),
        server().replace("imap'", "pop3'"),
        "",
    ],
)
def test_unusable_servers_are_skipped(bad: str) -> None:
    with pytest.raises(AutoconfigUnusable):
        read(bad)
    assert read(bad, server("good.old.example")).endpoint.host == "good.old.example"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>not found</html",
        b"\xff\xfe\x00",
        b"<?xml version='1.0' encoding='nonsense'?><a/>",
        b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
        b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
        b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
    ],
)
def test_invalid_autoconfig_files_are_rejected(data: bytes) -> None:
    with pytest.raises(NoAutoconfigFile):
        parse(data, "ada@old.example")


def test_logins_and_login_methods_are_parsed() -> None:
    assert read(server(user="%EMAILLOCALPART%")).login_form is LoginForm.LOCAL_PART
    assert read(server(user="%EMAILLOCALPART%@%EMAILDOMAIN%")).login_form is LoginForm.ADDRESS
    assert read(server(user="Ada@old.example")).login_form is LoginForm.ADDRESS
    only_token = "<authentication>OAuth2</authentication>"
    assert read(server(more=only_token)).password is PasswordKind.NONE
    both = only_token + "<authentication>password-cleartext</authentication>"
    assert read(server(more=both)).password is PasswordKind.MAILBOX


def test_the_hosts_instructions_are_shown_truncated_and_without_markup() -> None:
    instruction = (
        f"<instruction>Switch\x85on\n <b>IMAP</b> {'x' * 400}\u202e</instruction>"
        "<instruction lang='de'>Ein.</instruction>"
    )
    config = read(server(), more=f"<enable visiturl='https://old.example/x'>{instruction}</enable>")
    [step] = config.steps
    assert step.texts.en.startswith("Switch on IMAP xxx")
    assert len(step.texts.en) == 300
    assert step.texts.de == "Ein."
    assert step.texts.fr == step.texts.en
    assert step.page == "https://old.example/x"
    [step] = read(
        server(), more="<enable visiturl='javascript:x'><instruction>A.</instruction></enable>"
    ).steps
    assert step.page == ""


# --- Concurrency ----------------------------------------------------------------------------------------


class Slow(Recorded):
    """Delays each MX query until so many have run at once, and records the number of concurrent queries."""

    def __init__(self, at_once: int = 1) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.at_once = at_once
        self.now = self.most = 0

    def mail_exchangers(self, domain: str) -> Sequence[str]:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        wait_until(lambda: self.most >= self.at_once)
        time.sleep(0.05)
        with self.lock:
            self.now -= 1
            self.asked.append(f"MX {domain}")
        return ["mta-gw.infomaniak.ch"]


def test_the_domains_of_a_file_are_looked_up_concurrently_and_once_each() -> None:
    answers = Slow(at_once=4)
    directory = answers.directory()
    addresses = [f"{name}@d{number}.example" for number in range(10) for name in ("ada", "GRACE")]
    directory.expect([*addresses, "ada@gmx.de", "ada@D3.example"])
    assert sorted(answers.asked) == sorted(f"MX d{number}.example" for number in range(10))
    assert answers.most >= 4
    for address in addresses:
        provider = directory.for_address(address)
        assert provider is not None
        assert provider.id == "infomaniak"
    assert len(answers.asked) == 10


def test_concurrent_callers_share_one_lookup() -> None:
    answers = Slow()
    directory = answers.directory()
    asking = [threading.Thread(target=directory.for_address, args=("ada@old.example",)) for _ in range(8)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert answers.asked == ["MX old.example"]


def test_the_reason_for_an_unknown_address_is_told() -> None:
    answers = Recorded()
    unlisted = Text("server_unknown.unlisted", domain="old.example")
    assert answers.directory().why_unknown("ada@old.example") == unlisted
    answers.broken = "lookup.no_name_server"
    assert answers.directory().why_unknown("ada@old.example").code == "server_unknown.offline"
    assert isinstance(answers.directory(), BulkDiscovery)
