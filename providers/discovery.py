"""From an address to its provider: catalog, mail exchanger, autoconfig, ISPDB, SRV, usual names, else ask.

The order is that of draft-ietf-mailmaint-autoconfig-04 (2025-11), with what we know ourselves in front.
Each step leaves a line of evidence. Nothing here touches the network: resolver, web and prober are passed
in, and each keeps to its own limits of time and size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Final, Protocol
from unicodedata import normalize
from urllib.parse import quote

from providers.autoconfig import AutoconfigUnusable, is_host_name, parse
from providers.catalog import Catalog
from providers.endpoint import Endpoint, Security, server_url
from providers.provider import MEANINGS, LoginKind, Provider

# Thunderbird's own setting mailnews.auto_config_url.
_ISPDB: Final = "https://autoconfig.thunderbird.net/v1.1"


class LookupFailed(Exception):
    """A look-up did not work; the text ends a sentence, such as “the name server does not answer”."""


class Resolver(Protocol):
    """Asks the DNS. Every method raises LookupFailed; what is not there is empty."""

    def mail_exchangers(self, domain: str) -> Sequence[str]:
        """Host names, the preferred one first (RFC 5321 section 5.1)."""
        ...

    def services(self, name: str) -> Sequence[tuple[str, int]]:
        """(host, port) of SRV records, the preferred one first (RFC 2782); host "." means: not offered."""
        ...


class HttpsFetcher(Protocol):
    """Fetches small files."""

    def fetch(self, url: str) -> bytes | None:
        """The file behind an https address, None when there is none. Raises LookupFailed."""
        ...


class Prober(Protocol):
    """Tries servers that were only guessed."""

    def answers(self, endpoint: Endpoint) -> bool:
        """Whether an IMAP server that proves its name answers there. Never raises."""
        ...


class FoundBy(StrEnum):
    """What led to the provider."""

    DOMAIN = "domain"  # the catalog knows the domain
    EXCHANGER = "mx"  # the catalog knows who takes its mail
    AUTOCONFIG = "autoconfig"  # the domain says so itself
    ISPDB = "ispdb"  # Thunderbird's list says so
    SERVICE = "srv"  # the domain's service records say so (RFC 6186)
    PROBE = "probe"  # a usual name answered
    NOTHING = "nothing"  # nobody knows: ask


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found for an address, and why. `provider` None: ask for the server; `guess` is one to propose.
    `offline` says that nothing could be looked up at all. Each line of `evidence` is a sentence."""

    domain: str
    found_by: FoundBy
    provider: Provider | None
    evidence: tuple[str, ...]
    guess: Endpoint | None = None
    offline: bool = False

    def as_json(
        self, address: str, language: str = "en", *, login: LoginKind = LoginKind.PASSWORD
    ) -> dict[str, object]:
        """The discovery as plain values, for the console's --json, the API and forms.

        Texts for the owner are in `language` and apply to that kind of login; evidence is in English.
        `server` is where the mail is read: None if it is unknown or if IMAP is unavailable.
        """
        facts: dict[str, object] = {
            "address": address,
            "domain": self.domain,
            "found_by": self.found_by.value,
            "evidence": list(self.evidence),
            "offline": self.offline,
            "guess": str(self.guess) if self.guess else None,
            "provider": None,
        }
        provider = self.provider
        if provider is None:
            return facts
        endpoint = provider.source_endpoint
        login_name = provider.login_name(address)
        return facts | {
            "provider": {"id": provider.id, "name": provider.name},
            "server": str(endpoint) if endpoint else None,
            "login": login_name,
            "url": server_url(endpoint, login_name) if endpoint else None,
            "password": provider.password.value,
            "sign_in": provider.sign_in,
            "first": [
                {"step": step.texts.in_language(language), "page": step.page or None}
                for step in provider.steps_for(login)
            ],
            "way": login.value,
            "unavailable": provider.login_unavailable_in(language, login) or None,
            "limits": {name: value for name, value in asdict(provider.limits).items() if value is not None},
            "quirks": {quirk.value: MEANINGS[quirk] for quirk in sorted(provider.quirks)},
        }


def discover(
    address: str, *, catalog: Catalog, resolver: Resolver, web: HttpsFetcher, prober: Prober | None
) -> Discovery:
    """Never raises. Without a prober, usual names are proposed and not tried."""
    local, _, given = address.strip().rpartition("@")
    known = catalog.for_domain(given)
    if known is not None:
        return Discovery(
            given.lower(), FoundBy.DOMAIN, known, (f"{given.lower()} is a domain of {known.name}.",)
        )
    domain = ascii_domain(given)
    if domain is None or not local:
        return Discovery(
            given, FoundBy.NOTHING, None, ("What follows the @ is not a domain of the internet.",)
        )
    return _Search(f"{local}@{domain}", domain, catalog, resolver, web, prober).run()


def ascii_domain(domain: str) -> str | None:
    """As the DNS has it (RFC 5891), small letters; None when it is no domain with at least two labels.

    Not Python's `idna` codec: that is IDNA 2003, which turns “ß” into “ss” and so names another's domain.
    """
    plain = normalize("NFKC", normalize("NFKC", domain.replace("\u3002", ".")).lower()).rstrip(".")
    labels = (
        label if label.isascii() else f"xn--{label.encode('punycode').decode()}" for label in plain.split(".")
    )
    name = ".".join(labels)
    return name if is_host_name(name) else None


class _Search:
    """One search: the steps in their order, with what each of them told."""

    def __init__(
        self,
        address: str,
        domain: str,
        catalog: Catalog,
        resolver: Resolver,
        web: HttpsFetcher,
        prober: Prober | None,
    ) -> None:
        self._address = address
        self._domain = domain
        self._catalog = catalog
        self._resolver = resolver
        self._web = web
        self._prober = prober
        self._evidence: list[str] = []
        self._looked = False  # whether anybody answered anything

    def run(self) -> Discovery:
        exchangers = self._exchangers()
        for exchanger in exchangers:
            hosted = self._catalog.for_mx(exchanger)
            if hosted is not None:
                provider, ending = hosted
                self._evidence.append(f"MX {exchanger} ends in {ending}, which is {provider.name}.")
                return self._found(FoundBy.EXCHANGER, provider)
        if exchangers:
            self._evidence.append(f"MX {exchangers[0]} is of no host that Mailhaul knows.")
        pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="discovery")
        try:
            for how, told in [(how, pool.submit(step)) for how, step in self._steps(exchangers)]:
                found = self._heard(told)
                if found is not None:
                    return self._found(how, found)
            return self._guessed(pool)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # each look-up ends by itself within seconds

    def _exchangers(self) -> Sequence[str]:
        try:
            exchangers = [name.lower().rstrip(".") for name in self._resolver.mail_exchangers(self._domain)]
        except LookupFailed as error:
            self._evidence.append(f"The MX records of {self._domain} could not be looked up: {error}.")
            return []
        self._looked = True
        named = [name for name in exchangers if name]  # "." alone: takes no mail (RFC 7505)
        if not named:
            self._evidence.append(f"There is no MX record for {self._domain}.")
        return named

    def _steps(self, exchangers: Sequence[str]) -> Iterator[tuple[FoundBy, Callable[[], _Advertised]]]:
        domain, query = self._domain, f"?emailaddress={quote(self._address, safe='@')}"
        for url in (
            f"https://autoconfig.{domain}/mail/config-v1.1.xml{query}",
            f"https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml{query}",
        ):
            yield FoundBy.AUTOCONFIG, partial(self._autoconfig, url)
        for listed in dict.fromkeys((domain, *_parents(exchangers))):
            yield FoundBy.ISPDB, partial(self._autoconfig, f"{_ISPDB}/{listed}")
        for name, security in (("_imaps._tcp", Security.TLS), ("_imap._tcp", Security.STARTTLS)):
            yield FoundBy.SERVICE, partial(self._service, f"{name}.{domain}", security)

    def _autoconfig(self, url: str) -> _Advertised:
        shown = url.partition("?")[0]
        try:
            data = self._web.fetch(url)
        except LookupFailed as error:
            return _Advertised(f"{shown} could not be read: {error}.", looked=False)
        if data is None:
            return _Advertised(f"{shown} is not there.")
        try:
            config = parse(data, self._address)
        except AutoconfigUnusable as error:
            return _Advertised(f"{shown} {error}.")
        provider = self._known(
            Provider(
                id=f"at-{self._domain.replace('.', '-')}",
                name=config.name or self._domain,
                domains=(self._domain,),
                endpoint=config.endpoint,
                login_form=config.login_form,
                password=config.password,
                steps=config.steps,
            )
        )
        return _Advertised(f"{shown} names {config.endpoint}.", provider)

    def _service(self, record: str, security: Security) -> _Advertised:
        try:
            targets = self._resolver.services(record)
        except LookupFailed as error:
            return _Advertised(f"The SRV record {record} could not be looked up: {error}.", looked=False)
        for host, port in targets:
            name = host.lower().rstrip(".")
            if not name:
                return _Advertised(f"The SRV record {record} says that this is not offered.")
            if is_host_name(name) and 0 < port < 65_536:
                endpoint = Endpoint(name, port, security)
                return _Advertised(f"The SRV record {record} names {endpoint}.", self._plain(endpoint))
        return _Advertised(f"There is no SRV record {record}.")

    def _guessed(self, pool: ThreadPoolExecutor) -> Discovery:
        usual = [Endpoint(f"{label}.{self._domain}") for label in ("imap", "mail")]
        prober = self._prober if self._looked else None
        if prober is not None:
            tried = [pool.submit(prober.answers, endpoint) for endpoint in usual]
            for endpoint, answered in zip(usual, tried, strict=True):
                if answered.result():
                    self._evidence.append(f"{endpoint} was tried because it is a usual name, and answers.")
                    return self._found(FoundBy.PROBE, self._plain(endpoint))
            self._evidence.append(f"{usual[0].host} and {usual[1].host} were tried; neither answers.")
        if not self._looked:
            self._evidence.append("Nothing could be looked up: there seems to be no network.")
        return Discovery(
            self._domain, FoundBy.NOTHING, None, tuple(self._evidence), usual[0], offline=not self._looked
        )

    def _heard(self, told: Future[_Advertised]) -> Provider | None:
        result = told.result()
        self._looked |= result.looked
        self._evidence.append(result.line)
        return result.provider

    def _plain(self, endpoint: Endpoint) -> Provider:
        """A server of which nothing else is known."""
        name = self._domain
        found = Provider(f"at-{name.replace('.', '-')}", name, (name,), endpoint)
        return self._known(found)

    def _known(self, found: Provider) -> Provider:
        """The catalog's row when the server is one of its own, with the login that the domain asks for."""
        row = self._catalog.for_host(found.endpoint.host) if found.endpoint else None
        if row is None or row.endpoint is None:
            return found
        return replace(row, domains=found.domains, login_form=found.login_form)

    def _found(self, how: FoundBy, provider: Provider) -> Discovery:
        return Discovery(self._domain, how, provider, tuple(self._evidence))


@dataclass(frozen=True, slots=True)
class _Advertised:
    """What one step told: its line of evidence, and the provider it led to."""

    line: str
    provider: Provider | None = None
    looked: bool = True


def _parents(exchangers: Sequence[str]) -> Iterator[str]:
    """Names under which ISPDB may list who runs the first exchanger: all but one label, the last two."""
    for exchanger in exchangers[:1]:
        labels = exchanger.split(".")
        for parent in (labels[1:], labels[-2:]):
            if len(parent) > 1 and is_host_name(".".join(parent)):
                yield ".".join(parent)
